//! Threads in which the kernel rejects system calls.

use std::thread;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// A system call, with rules for its arguments. Without a rule the arguments do not matter.
pub(crate) type Call = (libc::c_long, Vec<SeccompRule>);

/// A rule that holds if all of these arguments of four bytes compare like this.
pub(crate) fn rule(arguments: &[(u8, SeccompCmpOp, i32)]) -> Vec<SeccompRule> {
    let conditions = arguments.iter().map(|(index, compared, value)| {
        let value = u64::from(value.cast_unsigned());
        SeccompCondition::new(*index, SeccompCmpArgLen::Dword, compared.clone(), value).expect("an argument")
    });
    vec![SeccompRule::new(conditions.collect()).expect("conditions")]
}

/// Runs `act` in a thread in which these calls fail with the error `number`.
pub(crate) fn rejecting<T: Send>(calls: Vec<Call>, number: i32, act: impl FnOnce() -> T + Send) -> T {
    let reject = SeccompAction::Errno(number.cast_unsigned());
    let machine = std::env::consts::ARCH.try_into().expect("one of the architectures of the test");
    let filter = SeccompFilter::new(calls.into_iter().collect(), SeccompAction::Allow, reject, machine)
        .expect("two different actions");
    let program = BpfProgram::try_from(filter).expect("a small filter");
    thread::scope(|scope| {
        let playing = scope.spawn(move || {
            seccompiler::apply_filter(&program).expect("the kernel has filters");
            act()
        });
        playing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
