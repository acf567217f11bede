//! Stand-in generator of records until the model drives it.
