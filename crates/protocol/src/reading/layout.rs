//! How the ABI lays arguments out: what stands in place, and what stands elsewhere behind a pointer.

/// The type of an argument, as far as its place in the call data goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One word; its type.
    Word(&'static str),
    /// A length and as many bytes.
    Bytes,
    /// As many elements as its type says, or else as its first word says.
    Array(Box<Layout>, Option<usize>),
    /// Members with their names.
    Tuple(Vec<(&'static str, Layout)>),
}

impl Layout {
    /// Its content stands elsewhere; in its place stands a pointer.
    pub fn is_dynamic(&self) -> bool {
        match self {
            Self::Word(_) => false,
            Self::Bytes | Self::Array(_, None) => true,
            Self::Array(each, Some(_)) => each.is_dynamic(),
            Self::Tuple(members) => members.iter().any(|(_, member)| member.is_dynamic()),
        }
    }

    /// Bytes that it takes in its place.
    pub fn head(&self) -> usize {
        match self {
            _ if self.is_dynamic() => 32,
            Self::Array(each, Some(count)) => each.head() * count,
            Self::Tuple(members) => members.iter().map(|(_, member)| member.head()).sum(),
            _ => 32,
        }
    }

    /// The arguments of a declaration such as `pay(address to,(uint256 sum,bytes)[] sums)`, as a tuple.
    pub fn of_arguments(declaration: &'static str) -> Self {
        let list = declaration.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        Self::Tuple(list.map(members).unwrap_or_default())
    }
}

/// Parts of a list that are divided by commas outside of parentheses.
fn members(list: &'static str) -> Vec<(&'static str, Layout)> {
    let (mut members, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    let mut add = |part: Option<&'static str>| members.extend(part.filter(|part| !part.is_empty()).map(member));
    for (index, character) in list.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                add(list.get(start..index));
                start = index + 1;
            }
            _ => {}
        }
    }
    add(list.get(start..));
    members
}

/// `(uint256 sum,bytes)[] sums`: its type, then its name.
fn member(text: &'static str) -> (&'static str, Layout) {
    let (inner, rest) = match text.strip_prefix('(').and_then(|text| text.rsplit_once(')')) {
        Some((inner, rest)) => (Some(inner), rest),
        None => (None, text),
    };
    let (kind, name) = rest.split_once(' ').unwrap_or((rest, ""));
    let (base, suffix) = kind.split_at(kind.find('[').unwrap_or(kind.len()));
    let layout = match (inner, base) {
        (Some(inner), _) => Layout::Tuple(members(inner)),
        (None, "bytes" | "string") => Layout::Bytes,
        (None, base) => Layout::Word(base),
    };
    let brackets = suffix.split_terminator(']').map(|count| count.trim_start_matches('[').parse().ok());
    (name, brackets.fold(layout, |each, count| Layout::Array(Box::new(each), count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_laid_out() {
        let pair = || Layout::Tuple(vec![("sum", Layout::Word("uint256")), ("", Layout::Word("bool"))]);
        let Layout::Tuple(arguments) =
            Layout::of_arguments("pay(address to,(uint256 sum,bool)[2][] sums,bytes data,bytes32 salt)")
        else {
            panic!("arguments are a tuple")
        };
        let sums = Layout::Array(Box::new(Layout::Array(Box::new(pair()), Some(2))), None);
        let expected = [
            ("to", Layout::Word("address")),
            ("sums", sums),
            ("data", Layout::Bytes),
            ("salt", Layout::Word("bytes32")),
        ];
        assert_eq!(arguments, expected);
        assert_eq!((pair().head(), pair().is_dynamic()), (64, false));
        assert_eq!(Layout::of_arguments("stop()"), Layout::Tuple(vec![]));
    }
}
