//! Messages for people.

/// A line on stderr. Unlike `eprintln!` it does not panic when nobody reads it any more: a recorder whose log is closed
/// (`2>&1 | head`, a logger that died) has to go on, and to end with its own exit code.
#[macro_export]
macro_rules! say {
    ($($message:tt)*) => {{
        // There is nobody left to be told.
        let _ = ::std::io::Write::write_fmt(
            &mut ::std::io::stderr(),
            ::core::format_args!("{}\n", ::core::format_args!($($message)*)),
        );
    }};
}
