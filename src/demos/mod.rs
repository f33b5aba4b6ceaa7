//! One file per hook: a whole component, ready to copy. The pages show these very files at work.
