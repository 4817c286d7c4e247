//! Random lane policies and requests, and how our rules read a request.

use serde_json::{Value, json};

use super::rng::Rng;
use super::tally::Explanation;

const NAMES: [&str; 9] =
    ["api", "docs", "Web", "infra", "straße", "Données", "core", "ops", "data-1"];
const EXCLUSIVE: [&str; 4] = ["global", "release", "Ops", "infra"];
const PATTERNS: [&str; 21] = [
    "src/api/**",
    "src/**",
    "src/api/*.rs",
    "SRC/Api/**",
    "docs/**",
    "docs/api.md",
    "docs\\web\\**",
    "**/*",
    "*.md",
    "src/web/",
    "src/web",
    "src/we",
    "a/b/c.rs",
    "a/b/*.rs",
    "straße/**",
    "STRASSE/**",
    "STRAẞE/a.rs",
    "src/?pi/**",
    "crates/[ab]*/**",
    "{x,y}/**",
    "data/1",
];

/// The `[lanes]` of a workspace, and its budget for lanes that are chosen for a request.
#[derive(Clone, Debug)]
pub struct Lanes {
    concurrent: Vec<String>,
    exclusive: Vec<String>,
    autopick: Vec<String>,
    trees: Vec<(String, Vec<String>)>,
    aliases: Vec<(String, String)>,
    ratio_max: Option<&'static str>,
    /// At most so many live leases of the kind `cluster`; 0 for no bound.
    pub cluster_budget: u64,
}

impl Lanes {
    /// A random policy.
    pub fn random(rng: &mut Rng) -> Self {
        let concurrent = rng.some(&NAMES, 1, 4);
        let exclusive = rng.some(&EXCLUSIVE, 0, 2);
        let mut autopick = Vec::new();
        for name in &concurrent {
            if rng.chance(75) {
                autopick.push(recased(rng, name, 8));
            }
        }
        if rng.chance(10) {
            autopick.extend(rng.some(&NAMES, 1, 2));
        }
        let mut trees: Vec<(String, Vec<String>)> = Vec::new();
        for name in concurrent.iter().chain(&exclusive).chain(&autopick) {
            // One spelling of each name, so that both programs look up the same entry.
            let new = !trees.iter().any(|(there, _)| fold(there) == fold(name));
            if new && rng.chance(80) {
                trees.push((recased(rng, name, 10), rng.some(&PATTERNS, 0, 4)));
            }
        }
        let mut aliases: Vec<(String, String)> = Vec::new();
        for alias in ["a", "Alias", "docs"] {
            if rng.chance(15) {
                aliases.push((alias.to_string(), rng.text(&["api", "docs", "Web", "nowhere"])));
            }
        }
        let ratio_max = *rng.pick(&[None, None, None, Some("0.2"), Some("0.5"), Some("1.0")]);
        let cluster_budget = if rng.chance(25) { 1 + rng.below(2) as u64 } else { 0 };
        Self { concurrent, exclusive, autopick, trees, aliases, ratio_max, cluster_budget }
    }

    /// The `dos.toml` that declares this policy.
    pub fn toml(&self) -> String {
        // JSON texts are TOML texts.
        let list = |names: &[String]| json!(names).to_string();
        let mut toml = String::from("[overlap]\npolicy = \"prefix\"\n");
        if let Some(ratio) = self.ratio_max {
            toml.push_str(&format!("ratio_max = {ratio}\n"));
        }
        toml.push_str(&format!(
            "[lanes]\nconcurrent = {}\nexclusive = {}\nautopick = {}\n[lanes.trees]\n",
            list(&self.concurrent),
            list(&self.exclusive),
            list(&self.autopick)
        ));
        for (lane, tree) in &self.trees {
            toml.push_str(&format!("{} = {}\n", json!(lane), list(tree)));
        }
        toml.push_str("[lanes.aliases]\n");
        for (alias, lane) in &self.aliases {
            toml.push_str(&format!("{} = {}\n", json!(alias), json!(lane)));
        }
        if self.cluster_budget > 0 {
            toml.push_str("[[concurrency_class]]\nname = \"cluster\"\n");
            toml.push_str(&format!("max_concurrent = {}\n", self.cluster_budget));
        }
        toml
    }

    /// A lane's name as somebody might type it.
    pub fn lane(&self, rng: &mut Rng) -> String {
        let declared: Vec<&String> = self.declared().collect();
        match rng.below(20) {
            0..3 => String::new(),
            3 => rng.text(&["nowhere", "global", "other"]),
            4 => rng.text(&["a", "Alias", "ALIAS", "docs"]),
            5..7 => rng.text(&NAMES),
            _ => {
                let name = rng.pick(&declared).to_string();
                recased(rng, &name, 12)
            }
        }
    }

    /// A kind that both know.
    pub fn kind(&self, rng: &mut Rng) -> String {
        match rng.below(20) {
            0..4 => String::new(),
            4..12 => "cluster".into(),
            12..17 => "keyword".into(),
            17 => "global".into(),
            _ if self.exclusive.is_empty() => "cluster".into(),
            _ => {
                let name = rng.pick(&self.exclusive).clone();
                recased(rng, &name, 20)
            }
        }
    }

    /// Live leases as a host might pass them.
    pub fn leases(&self, rng: &mut Rng) -> Vec<Value> {
        let count = rng.weighted(&[15, 35, 30, 15, 5]);
        (0..count).map(|index| self.lease(rng, index)).collect()
    }

    fn lease(&self, rng: &mut Rng, index: usize) -> Value {
        let mut lease = json!({"loop_ts": format!("L{index}"), "holder": rng.text(&["al", "bo"])});
        let named = rng.below(40);
        if named > 0 {
            let lane = self.lane(rng);
            lease["lane"] = if named == 1 { json!(7) } else { lane.into() };
        }
        if rng.chance(90) {
            lease["lane_kind"] = self.kind(rng).into();
        }
        match rng.below(45) {
            0 => lease["tree"] = json!("src/**"),
            1 => lease["tree"] = json!(null),
            2 => lease["tree"] = json!(["src/**", null]),
            3 => lease["tree"] = json!([5]),
            4 => lease["tree"] = json!(5),
            5 => lease["tree"] = json!(["", "docs/**"]),
            6..12 => {}
            _ => lease["tree"] = json!(rng.some(&PATTERNS, 0, 4)),
        }
        lease
    }

    fn declared(&self) -> impl Iterator<Item = &String> {
        let trees = self.trees.iter().map(|(lane, _)| lane);
        self.concurrent.iter().chain(&self.exclusive).chain(&self.autopick).chain(trees)
    }

    fn is_exclusive(&self, name: &str) -> bool {
        self.exclusive.iter().any(|lane| fold(lane) == fold(name))
    }

    fn knows(&self, name: &str) -> bool {
        let aliases = self.aliases.iter().map(|(alias, _)| alias);
        fold(name) == "global" || self.declared().chain(aliases).any(|n| fold(n) == fold(name))
    }

    /// The lane that a name means. Of several spellings of one alias the first counts, in the order
    /// of their bytes.
    fn resolve(&self, name: &str) -> Option<&String> {
        let mut aliases: Vec<_> = self.aliases.iter().collect();
        aliases.sort();
        let declared = self.declared().any(|lane| fold(lane) == fold(name));
        let alias = aliases.into_iter().find(|(alias, _)| !declared && fold(alias) == fold(name));
        alias.map(|(_, lane)| lane)
    }

    /// Does the name cover something for us, and nothing for the original?
    pub fn covers_by_rule(&self, name: &str) -> bool {
        let meant = self.resolve(name).map_or(name, String::as_str);
        let exact = self.trees.iter().any(|(lane, _)| lane == name);
        !exact && self.tree(meant).is_some_and(|tree| !tree.is_empty())
    }

    fn tree(&self, name: &str) -> Option<&Vec<String>> {
        self.trees.iter().find(|(lane, _)| fold(lane) == fold(name)).map(|(_, tree)| tree)
    }
}

/// A request for a lane.
#[derive(Clone, Debug)]
pub struct Request {
    /// The lane.
    pub lane: String,
    /// The kind.
    pub kind: String,
    /// The tree; empty for what the lane declares.
    pub tree: Vec<String>,
    /// Was force used?
    pub force: bool,
}

impl Request {
    /// A random request for lanes of this policy.
    pub fn random(rng: &mut Rng, lanes: &Lanes) -> Self {
        let tree = if rng.chance(60) { Vec::new() } else { rng.some(&PATTERNS, 1, 4) };
        Self { lane: lanes.lane(rng), kind: lanes.kind(rng), tree, force: rng.chance(8) }
    }

    /// The arguments of either command line.
    pub fn arguments(&self) -> Vec<String> {
        let mut words: Vec<String> =
            ["--lane", &self.lane, "--kind", &self.kind].map(String::from).into();
        if !self.tree.is_empty() {
            words.push("--tree".into());
            words.extend(self.tree.iter().cloned());
        }
        words
    }

    /// The question for the driver.
    pub fn question(&self, workspace: &std::path::Path, leases: &[Value]) -> Value {
        json!({
            "workspace": workspace, "lane": self.lane, "kind": self.kind, "tree": self.tree,
            "force": self.force, "leases": leases, "budgets": {},
        })
    }
}

/// A question and the live leases it is asked about, rewritten so that the original's rules give
/// what ours give to the question that it comes from.
pub struct Rewriting<'a> {
    lanes: &'a Lanes,
    request: Request,
    leases: Vec<Value>,
    exclusive: Vec<String>,
    autopick: Vec<String>,
    trees: Vec<(String, Vec<String>)>,
    skipped: Option<Explanation>,
    /// What had to be rewritten.
    pub applied: Vec<Explanation>,
}

impl<'a> Rewriting<'a> {
    /// Applies every rule but `skipped`, in the order in which our arbiter does.
    pub fn new(
        lanes: &'a Lanes,
        request: &Request,
        leases: &[Value],
        skipped: Option<Explanation>,
    ) -> Self {
        let mut rewriting = Self {
            lanes,
            request: request.clone(),
            leases: leases.to_vec(),
            autopick: lanes.autopick.clone(),
            exclusive: lanes.exclusive.clone(),
            trees: lanes.trees.clone(),
            skipped,
            applied: Vec::new(),
        };
        rewriting.resolve_alias();
        rewriting.fill_in_tree();
        rewriting.read_kind();
        rewriting.judge_leases();
        rewriting.refuse_unknown_lane();
        rewriting.keep_exclusive_apart();
        rewriting.bind_choice();
        rewriting
    }

    /// The rewritten question.
    pub fn question(&self, workspace: &std::path::Path) -> Value {
        let mut question = self.request.question(workspace, &self.leases);
        let trees: serde_json::Map<String, Value> =
            self.trees.iter().map(|(lane, tree)| (lane.clone(), json!(tree))).collect();
        question["lanes"] = json!({
            "autopick": self.autopick,
            "exclusive": self.exclusive,
            "trees": trees,
        });
        question
    }

    fn apply(&mut self, explanation: Explanation) -> bool {
        if self.skipped == Some(explanation) {
            return false;
        }
        if !self.applied.contains(&explanation) {
            self.applied.push(explanation);
        }
        true
    }

    fn resolve_alias(&mut self) {
        let lanes = self.lanes;
        if let Some(lane) = lanes.resolve(&self.request.lane.clone())
            && self.apply(Explanation::AliasResolves)
        {
            self.request.lane.clone_from(lane);
        }
    }

    fn fill_in_tree(&mut self) {
        // Each lookup of the original, by the name as it stands and in lower case, finds the entry.
        for lane in std::iter::once(&self.request.lane).chain(&self.lanes.autopick) {
            let Some(tree) = self.lanes.tree(lane) else { continue };
            for spelling in [lane.clone(), lane.to_lowercase()] {
                let missing = !self.trees.iter().any(|(there, _)| *there == spelling);
                if missing && self.skipped != Some(Explanation::DeclaredTree) {
                    self.trees.push((spelling, tree.clone()));
                    if !self.applied.contains(&Explanation::DeclaredTree) {
                        self.applied.push(Explanation::DeclaredTree);
                    }
                }
            }
        }
        if self.request.tree.is_empty()
            && let Some(tree) = self.lanes.tree(&self.request.lane)
            && self.skipped != Some(Explanation::DeclaredTree)
        {
            self.request.tree.clone_from(tree);
        }
    }

    fn read_kind(&mut self) {
        let forced = self.request.force && !self.request.lane.is_empty();
        let kind = self.request.kind.clone();
        let folded = fold(&kind);
        if !forced
            && folded != kind
            && self.lanes.is_exclusive(&kind)
            && self.apply(Explanation::KindCase)
        {
            self.request.kind = folded;
        }
        let nameless = self.request.lane.is_empty() && self.request.tree.is_empty();
        if nameless && kind == "cluster" && self.apply(Explanation::NamelessCluster) {
            self.request.kind.clear();
        }
    }

    fn judge_leases(&mut self) {
        let nameless_request = self.request.lane.is_empty()
            && !self.request.tree.is_empty()
            && self.request.kind == "cluster";
        for index in 0..self.leases.len() {
            self.read_tree(index);
            let lane = lane_of(&self.leases[index]);
            let kind = self.leases[index]["lane_kind"].as_str().unwrap_or_default().to_string();
            if self.lanes.is_exclusive(&lane)
                && !self.lanes.is_exclusive(&kind)
                && self.apply(Explanation::ExclusiveByName)
            {
                self.leases[index]["lane_kind"] = fold(&lane).into();
            }
            let undeclared = fold(&kind) == "global" && !self.lanes.is_exclusive("global");
            if undeclared && self.apply(Explanation::GlobalKind) {
                self.exclusive.push("global".to_string());
            }
            if lane.is_empty() && nameless_request && self.apply(Explanation::NamelessLease) {
                self.leases[index]["lane"] = "a lease without a name".into();
            }
        }
        let held: Vec<String> = self.leases.iter().map(|lease| fold(&lane_of(lease))).collect();
        let slips = |lane: &String| held.contains(&fold(lane)) && !held.contains(lane);
        if self.autopick.iter().any(slips) && self.apply(Explanation::NameCase) {
            self.autopick.retain(|lane| !held.contains(&fold(lane)));
        }
    }

    /// The original takes a text for a list of letters, and passes over what is no pattern.
    fn read_tree(&mut self, index: usize) {
        let tree = self.leases[index]["tree"].clone();
        let read = match &tree {
            Value::String(_) => json!([tree]),
            Value::Array(items) => {
                let whole = |item: &Value| if item.is_null() { json!("**") } else { item.clone() };
                items.iter().map(whole).collect()
            }
            _ => tree.clone(),
        };
        if read != tree && self.apply(Explanation::OddTree) {
            self.leases[index]["tree"] = read;
        }
    }

    fn refuse_unknown_lane(&mut self) {
        let Request { lane, kind, tree, force } = &self.request;
        let unknown = !lane.is_empty() && !self.lanes.knows(lane) && tree.is_empty();
        if unknown
            && !force
            && kind == "cluster"
            && !self.is_held(lane)
            && self.apply(Explanation::UnknownLane)
        {
            self.request.kind = "keyword".into();
        }
    }

    fn keep_exclusive_apart(&mut self) {
        let lanes = self.lanes;
        let exclusive = self.autopick.iter().any(|lane| lanes.is_exclusive(lane));
        if exclusive && !self.leases.is_empty() && self.apply(Explanation::ExclusivePick) {
            self.autopick.retain(|lane| !lanes.is_exclusive(lane));
        }
    }

    /// Nothing is left to be picked where the class of what would be picked is full.
    fn bind_choice(&mut self) {
        let Request { lane, kind, tree, force } = &self.request;
        let lanes = self.lanes;
        let live = self.leases.iter().filter(|lease| lease["lane_kind"] == "cluster").count();
        if lanes.cluster_budget == 0 || (live as u64) < lanes.cluster_budget {
            return;
        }
        let chooses = match (lane.is_empty(), kind.as_str()) {
            (true, "") => true,
            (true, "cluster" | "keyword") => tree.is_empty(),
            (false, "keyword") => {
                let plain = !force && !lanes.is_exclusive(lane);
                plain && tree.is_empty() && lanes.knows(lane) && !self.is_held(lane)
            }
            _ => false,
        };
        if chooses && self.apply(Explanation::ClassBudget) {
            self.autopick.clear();
        }
    }

    fn is_held(&self, lane: &str) -> bool {
        self.leases.iter().any(|lease| fold(&lane_of(lease)) == fold(lane))
    }
}

/// The lane of a lease as text.
pub fn lane_of(lease: &Value) -> String {
    match &lease["lane"] {
        Value::String(lane) => lane.clone(),
        Value::Number(lane) => lane.to_string(),
        _ => String::new(),
    }
}

/// Names that differ in case only are one name: the comparison that both programs make, for the
/// letters that occur here.
pub fn fold(name: &str) -> String {
    name.to_lowercase().replace('ß', "ss")
}

/// The name, in another case in `percent` of a hundred.
pub fn recased(rng: &mut Rng, name: &str, percent: usize) -> String {
    match rng.chance(percent) {
        // The capital letter that no case conversion makes.
        true if name.contains('ß') && rng.chance(30) => name.to_uppercase().replace("SS", "ẞ"),
        true if rng.chance(50) => name.to_uppercase(),
        true => name.to_lowercase(),
        false => name.to_string(),
    }
}
