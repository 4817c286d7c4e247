//! The worker processes: started, killed, collected. None of them outlives this.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};

use super::worker::{Orders, Role};
use super::{Plan, QuickstartError};
use crate::spawn;

/// All workers of a race. Those that still run when it is dropped are killed.
#[derive(Default)]
pub struct Crew {
    members: Vec<Member>,
}

struct Member {
    name: String,
    role: Role,
    child: Child,
    ended: Option<ExitStatus>,
    /// It did not end by itself.
    killed: bool,
}

impl Crew {
    /// Starts one.
    pub fn start(&mut self, plan: &Plan, orders: &Orders) -> Result<(), QuickstartError> {
        let mut command = spawn::command(plan.program.as_str(), &plan.folder);
        command.args(orders.arguments()).stdout(Stdio::null()).stderr(Stdio::piped());
        // An interrupt at the terminal is for us; the workers notice that we are gone.
        command.process_group(0);
        let child = command.spawn().map_err(QuickstartError::io("start", &plan.program))?;
        let (name, role) = (orders.name.clone(), orders.role);
        self.members.push(Member { name, role, child, ended: None, killed: false });
        Ok(())
    }

    /// Does any of them still run? Collects those that ended.
    pub fn at_work(&mut self) -> Result<bool, QuickstartError> {
        for member in self.members.iter_mut().filter(|member| member.ended.is_none()) {
            let waited = member.child.try_wait();
            member.ended = waited.map_err(QuickstartError::io("wait for", member.name.as_ref()))?;
        }
        Ok(self.members.iter().any(|member| member.ended.is_none()))
    }

    /// Those that still run.
    pub fn names_at_work(&self) -> String {
        let running = self.members.iter().filter(|member| member.ended.is_none());
        running.map(|member| member.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Kills those in this role with SIGKILL, and collects them.
    pub fn kill(&mut self, role: Role) -> Result<(), QuickstartError> {
        for member in self.members.iter_mut().filter(|member| member.role == role) {
            member.kill().map_err(QuickstartError::io("kill", member.name.as_ref()))?;
        }
        Ok(())
    }

    /// What the first one that failed said.
    pub fn verdict(&mut self) -> Result<(), QuickstartError> {
        for member in self.members.iter_mut().filter(|member| !member.killed) {
            let failed = member.ended.is_some_and(|status| !status.success());
            if failed {
                let mut said = String::new();
                if let Some(mut stderr) = member.child.stderr.take() {
                    let read = stderr.read_to_string(&mut said);
                    read.map_err(QuickstartError::io("listen to", member.name.as_ref()))?;
                }
                let said = said.trim().trim_start_matches("error: ").to_string();
                return Err(QuickstartError::Worker { name: member.name.clone(), said });
            }
        }
        Ok(())
    }
}

impl Member {
    fn kill(&mut self) -> std::io::Result<()> {
        if self.ended.is_none() {
            self.killed = true;
            self.child.kill()?;
            self.ended = Some(self.child.wait()?);
        }
        Ok(())
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for member in &mut self.members {
            // Nobody is left to tell.
            let _ = member.kill();
        }
    }
}
