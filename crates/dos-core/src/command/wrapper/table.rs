//! The programs that run another command, with their options.

use super::{Tail, Wrapper, tail, words};

/// Those of the original first, then by name.
pub(super) const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        names: "env genv",
        options: "i 0 v u= C= P= a= S@ ignore-environment null unset= chdir= split-string@ argv0= \
                  debug block-signal? default-signal? ignore-signal? list-signal-handling",
        operands: 0,
        assignments: true,
        tail: Tail::Words,
    },
    Wrapper {
        names: "sudo",
        options: "A B b E e! H i K k l n P S s v V C= D= g= h= p= R= r= T= t= U= u= login shell \
                  user= group= chdir= host= prompt= chroot= close-from= role= type= \
                  command-timeout= other-user= background preserve-env? non-interactive stdin \
                  set-home askpass bell edit! list! validate! version! help! reset-timestamp \
                  remove-timestamp preserve-groups",
        operands: 0,
        assignments: true,
        tail: Tail::Words,
    },
    words("command", "p v! V!", 0),
    words("builtin exec", "c l a=", 0),
    words("nice gnice", "n= adjustment=", 0),
    words("nohup gnohup", "", 0),
    words(
        "time gtime",
        "p a v q V! f= o= append verbose quiet portability format= output= version! help!",
        0,
    ),
    words("arch", "c e= d= 32 64 arm64 arm64e x86_64 i386", 0),
    words(
        "bwrap",
        "bind== ro-bind== dev-bind== bind-try== ro-bind-try== dev-bind-try== bind-fd== \
         ro-bind-fd== symlink== setenv== file== bind-data== ro-bind-data== chmod== overlay== \
         proc= dev= tmpfs= dir= uid= gid= hostname= chdir= unsetenv= lock-file= sync-fd= seccomp= \
         add-seccomp-fd= cap-add= cap-drop= args= exec-label= file-label= remount-ro= mqueue= \
         info-fd= json-status-fd= perms= size= userns= userns2= pidns= block-fd= userns-block-fd= \
         overlay-src= tmp-overlay= ro-overlay= argv0= unshare-all unshare-user unshare-user-try \
         unshare-ipc unshare-pid unshare-net unshare-uts unshare-cgroup unshare-cgroup-try \
         share-net die-with-parent new-session as-pid-1 clearenv disable-userns level-prefix",
        0,
    ),
    words("busybox busybox.static busybox-static toybox", "list! list-full! install! help! l!", 0),
    words("caffeinate", "d i m s u t= w=", 0),
    words("catchsegv chronic eatmydata fakeroot-ng gtime-out ifne proxychains3 tsocks", "", 0),
    words("cgexec", "g= sticky", 0),
    words("choom", "n= p= adjust= pid=", 0),
    words("chpst", "v P 0 1 2 u= U= b= e= n= l= L= m= d= o= p= f= c= r= t= /=", 0),
    words("chroot", "userspec= groups= skip-chdir u= g= G= n= help! version!", 1),
    words(
        "chrt",
        "a b d f i m! o p! r R v e T= P= D= all-tasks batch deadline fifo idle max! other pid! rr \
         reset-on-fork verbose sched-runtime= sched-period= sched-deadline= ext help! version!",
        1,
    ),
    words("cpulimit", "l= p= e= P= z i v q b m f limit= pid= exe= path= lazy verbose", 0),
    words("daemonize", "a v c= e= E= l= o= p= u=", 0),
    words(
        "dbus-launch dbus-run-session",
        "sh-syntax exit-with-session config-file= dbus-daemon=",
        0,
    ),
    words("doas", "n s L! C= u= a=", 0),
    words("dumb-init tini catatonit", "c v V! r= s g p= w e= rewrite= single-child verbose", 0),
    words("ecryptfs-unwrap setuidgid gosu su-exec with-contenv s6-setuidgid envuidgid", "", 1),
    words("envdir s6-envdir", "i f", 1),
    words("faketime", "m p= f exclude-monotonic", 1),
    words(
        "fakeroot fakechroot",
        "l= s= i= u b= lib= faked= unknown-is-real fd-base= c= e= use-system-libs",
        0,
    ),
    words("firejail", "quiet noprofile net= profile= private? private-bin= private-tmp", 0),
    words(
        "flock",
        "e x s u n o v F E= w= c$ exclusive shared unlock nonblock nb no-fork close wait= timeout= \
         conflict-exit-code= verbose command$",
        1,
    ),
    tail(
        "hyperfine",
        "N i h V w= r= m= M= p$ s$ c$ S= L== P=== D= n= u= style= sort= warmup= runs= min-runs= \
         max-runs= prepare$ setup$ cleanup$ conclude$ C$ shell= parameter-list== \
         parameter-scan=== parameter-step-size= command-name= time-unit= export-json= export-csv= \
         export-markdown= export-asciidoc= export-orgmode= output= input= reference$ \
         ignore-failure show-output no-shell",
        0,
        Tail::Each,
    ),
    words("ionice", "c= n= p! P! u! t class= classdata= pid! pgid! uid! ignore", 0),
    words(
        "ld.so",
        "library-path= preload= audit= argv0= inhibit-rpath= glibc-hwcaps-prepend= \
         glibc-hwcaps-mask= inhibit-cache list! verify! list-tunables! list-diagnostics! help! \
         version!",
        0,
    ),
    words("linux32 linux64 i386 uname26", "B F I L R S T X Z 3 v addr-no-randomize 32bit", 0),
    words(
        "ltrace",
        "a= A= b c C d D= e= f F= i l= L n= o= p= r s= S t T u= w= x= X= output= library= align=",
        0,
    ),
    tail("mispipe", "", 0, Tail::Each),
    words("netns-exec", "", 1),
    words("nocache", "n= D=", 0),
    words(
        "nsenter",
        "a t= m? u? i? n? p? U? C? T? S= G= r? w? W= e F Z N= all target= mount? uts? ipc? net? pid? \
         user? cgroup? time? setuid= setgid= preserve-credentials root? wd? wdns= env no-fork \
         follow-context net-socket= join-cgroup keep-caps user-parent",
        0,
    ),
    words(
        "numactl",
        "a i= p= P= w= m= N= C= l L= s! H! V f= S= T= o= d h! u g t interleave= preferred= \
         preferred-many= weighted-interleave= membind= cpunodebind= physcpubind= localalloc \
         all balancing show! hardware! touch cpu-compress",
        0,
    ),
    words("pkexec run0", "disable-internal-agent user= u= keep-cwd", 0),
    words(
        "prlimit",
        "p! o= v= c? d? e? f? i? l? m? n? q? r? s? t? u? x? y? pid! output= noheadings raw verbose \
         core? data? nice? fsize? sigpending? memlock? rss? nofile? msgqueue? rtprio? stack? cpu? \
         nproc? as? locks? rttime?",
        0,
    ),
    words("proot", "r= R= S= b= q= w= v= k= 0 i= V h rootfs= bind= qemu= pwd= cwd=", 0),
    words("proxychains proxychains4", "q f=", 0),
    words("retry", "t= times= d= delay= u= until= w= while= m= s=", 0),
    words(
        "rlwrap",
        "a? A? b= B= c C= D= e= E f= F= g= H= i I l= m? M= n N o O= p? P= q= r R s= S= t= w= z=",
        0,
    ),
    words("heaptrack", "", 0),
    words("rr", "", 1),
    words("runcon", "c t= u= r= l= compute type= user= role= range=", 0),
    words("sandbox-exec", "f= n= p= D=", 0),
    words("schedtool", "a= n= N F R B I D p= e M= r v", 0),
    words(
        "script",
        "a c$ e f q t? I= O= B= T= m= o= E= O= append command$ return flush force quiet timing? \
         log-in= log-out= log-io= log-timing= logging-format= output-limit= echo= F= k p r d",
        1,
    ),
    words(
        "setpriv",
        "d nnp no-new-privs ambient-caps= inh-caps= bounding-set= ruid= euid= rgid= egid= reuid= \
         regid= clear-groups keep-groups init-groups groups= securebits= pdeathsig= \
         selinux-label= apparmor-profile= landlock-access= landlock-rule= reset-env ptracer= \
         dump!",
        0,
    ),
    words("setsid", "c f w ctty fork wait", 0),
    words("softlimit", "a= c= d= f= l= m= o= p= r= s= t=", 0),
    words("ssh-agent", "D! d k! c s a= E= O= P= t=", 0),
    words("sshpass", "p= f= d= P= e v", 0),
    words("start-stop-daemon", "", 0),
    words("stdbuf gstdbuf", "i= o= e= input= output= error=", 0),
    words(
        "strace",
        "A a= b= C c D d E= e= F f h I= i k n O= o= P= p= q? r S= s= T t u= U= v V w X= x y Y z Z \
         output= trace= attach= user= string-limit= columns= env= follow-forks trace-path= \
         absolute-timestamps? relative-timestamps? summary-only summary summary-sort-by= \
         seccomp-bpf quiet? daemonize? decode-fds? stack-traces? successful-only failed-only \
         status= abbrev= verbose= raw= signal= inject= fault= kvm= tips?",
        0,
    ),
    words(
        "systemd-run",
        "M= H= S d G r q P t p= u= E= property= unit= description= slice= uid= gid= nice= \
         working-directory= setenv= service-type= on-active= on-boot= on-startup= \
         on-unit-active= on-unit-inactive= on-calendar= timer-property= path-property= \
         socket-property= machine= host= background= user system scope remain-after-exit \
         send-sighup same-dir pty pipe quiet wait collect shell no-block no-ask-password \
         slice-inherit expand-environment? on-clock-change on-timezone-change",
        0,
    ),
    words("systemd-inhibit", "what= who= why= mode= list! no-pager no-legend", 0),
    words("taskset", "a c p! all-tasks cpu-list pid! help! version!", 1),
    words(
        "timeout gtimeout",
        "k= s= v p f kill-after= signal= foreground preserve-status verbose help! version!",
        1,
    ),
    words("timelimit", "p q S= s= T= t=", 0),
    words("torsocks torify", "i u= p= isolate user= pass= shell! on! off!", 0),
    words("unbuffer", "p", 0),
    words(
        "unshare",
        "i? m? n? p? u? U? C? T? f r c R= w= S= G= ipc? mount? net? pid? uts? user? cgroup? time? \
         fork map-root-user map-current-user map-auto map-user= map-group= map-users= \
         map-groups= mount-proc? mount-binfmt? propagation= setgroups= kill-child? root= wd= \
         setuid= setgid= keep-caps boottime= monotonic= load-interp=",
        0,
    ),
    words(
        "valgrind",
        "q v tool= log-file= suppressions= leak-check= trace-children= track-origins= show-leak-kinds= error-exitcode=",
        0,
    ),
    tail(
        "watch",
        "n= d? t b e g c C p q= r s= w x f interval= differences? no-title beep errexit chgexit \
         color no-color precise equexit= no-rerun shotsdir= no-wrap exec follow",
        0,
        Tail::Joined,
    ),
    words("winpty", "Xallow-non-tty Xplain Xshowkey Xconerr Xcolor mouse showkey", 0),
    words(
        "xvfb-run",
        "a l e= f= n= p= s= w= auto-servernum error-file= server-num= server-args= listen-tcp auth-file= xauth-protocol= wait=",
        0,
    ),
    words("entr", "a c d n p r s z x", 0),
    words(
        "watchexec",
        "e= w= i= f= d= s= r c? n p q v N= W= o= exts= watch= ignore= filter= debounce= signal= restart clear? no-shell postpone on-busy-update= shell= emit-events-to= workdir= project-origin=",
        0,
    ),
    words("dotenv", "e= p= c= o f= v=", 0),
];
