//! System calls without the C library. A child that shares its parent's memory also shares the parent's errno, so it must
//! not touch it.

use std::arch::asm;
use std::ffi::c_void;

/// Makes a system call; a negative result is the negated error number.
///
/// # Safety
/// As for the system call itself.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn syscall(number: libc::c_long, arguments: [usize; 5]) -> isize {
    let result: isize;
    // SAFETY: the registers are those of the kernel's calling convention; the rest is the caller's.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Makes a system call; a negative result is the negated error number.
///
/// # Safety
/// As for the system call itself.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn syscall(number: libc::c_long, arguments: [usize; 5]) -> isize {
    let result: isize;
    // SAFETY: the registers are those of the kernel's calling convention; the rest is the caller's.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") arguments[0] => result,
            in("x1") arguments[1],
            in("x2") arguments[2],
            in("x3") arguments[3],
            in("x4") arguments[4],
            options(nostack),
        );
    }
    result
}

/// clone3 with a stack of its own for the child, on which `entry(argument)` runs. Returns in the parent only.
///
/// # Safety
/// `clone` names a stack, aligned to 16 bytes, that nobody else uses until the child has left the memory or ended; so long
/// `argument` must be valid for `entry` as well.
pub(crate) unsafe fn clone_onto(
    clone: &libc::clone_args,
    entry: unsafe extern "C" fn(*const c_void) -> !,
    argument: *const c_void,
) -> isize {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: in the child, rsp is the top of the new stack; it calls `entry`, which never returns, so nothing of this
    // frame is used there. In the parent only rax, rcx and r11 have changed.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") &raw const *clone,
            in("rsi") size_of::<libc::clone_args>(),
            in("r12") argument,
            in("r13") entry,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: in the child, sp is the top of the new stack; it calls `entry`, which never returns, so nothing of this
    // frame is used there. In the parent only x0 has changed.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x20",
            "blr x21",
            "brk 1",
            "2:",
            in("x8") libc::SYS_clone3,
            inlateout("x0") &raw const *clone => result,
            in("x1") size_of::<libc::clone_args>(),
            in("x20") argument,
            in("x21") entry,
        );
    }
    result
}

/// An argument of `call!`.
pub(crate) trait Argument {
    /// As the kernel takes it.
    fn word(self) -> usize;
}

macro_rules! numbers {
    ($($kind:ty),*) => { $(
        impl Argument for $kind {
            fn word(self) -> usize {
                self as usize
            }
        }
    )* };
}
// Signed numbers are extended as the C calling convention does.
numbers!(i32, u32, i64, u64, usize, isize);

impl<T> Argument for *const T {
    fn word(self) -> usize {
        self as usize
    }
}

impl<T> Argument for *mut T {
    fn word(self) -> usize {
        self as usize
    }
}

/// `call!(SYS_read, fd, buffer, length)`: a system call of up to five arguments, as a `Result` with a `Failure`.
macro_rules! call {
    ($number:expr) => { $crate::process::raw::call!(@ $number, 0usize, 0usize, 0usize, 0usize, 0usize) };
    ($number:expr, $a:expr) => { $crate::process::raw::call!(@ $number, $a, 0usize, 0usize, 0usize, 0usize) };
    ($number:expr, $a:expr, $b:expr) => { $crate::process::raw::call!(@ $number, $a, $b, 0usize, 0usize, 0usize) };
    ($number:expr, $a:expr, $b:expr, $c:expr) => { $crate::process::raw::call!(@ $number, $a, $b, $c, 0usize, 0usize) };
    ($number:expr, $a:expr, $b:expr, $c:expr, $d:expr) => { $crate::process::raw::call!(@ $number, $a, $b, $c, $d, 0usize) };
    ($number:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => { $crate::process::raw::call!(@ $number, $a, $b, $c, $d, $e) };
    (@ $number:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => {{
        use $crate::process::raw::Argument as _;
        $crate::process::child::check($crate::process::raw::syscall($number, [$a.word(), $b.word(), $c.word(), $d.word(), $e.word()]))
    }};
}
pub(crate) use call;
