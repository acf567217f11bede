//! What a terminal would show: just enough of one for what the dashboard sends.

/// Cells of a terminal, filled from the bytes it got.
pub(crate) struct Screen {
    cells: Vec<Vec<char>>,
}

impl Screen {
    /// A terminal of this size that got `output`.
    pub(crate) fn of(output: &str, columns: usize, rows: usize) -> Self {
        let mut screen = Self { cells: vec![vec![' '; columns]; rows] };
        let (mut x, mut y) = (0, 0);
        let mut chars = output.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\x1b' if chars.peek() == Some(&'[') => {
                    chars.next();
                    let mut args = String::new();
                    let end = loop {
                        match chars.next() {
                            Some(c) if c.is_ascii_digit() || ";?".contains(c) => args.push(c),
                            other => break other,
                        }
                    };
                    let mut numbers = args.split(';').map(|n| n.parse::<usize>().unwrap_or(1));
                    match end {
                        Some('H') => {
                            y = numbers.next().unwrap_or(1).max(1) - 1;
                            x = numbers.next().unwrap_or(1).max(1) - 1;
                        }
                        Some('J') => screen.cells.iter_mut().flatten().for_each(|c| *c = ' '),
                        // Colours and modes do not move anything.
                        _ => {}
                    }
                }
                '\r' => x = 0,
                '\n' => y += 1,
                c if c.is_control() => {}
                c => {
                    if let Some(cell) = screen.cells.get_mut(y).and_then(|row| row.get_mut(x)) {
                        *cell = c;
                    }
                    x += 1;
                }
            }
        }
        screen
    }

    /// Line by line.
    pub(crate) fn text(&self) -> String {
        let lines: Vec<String> = self.cells.iter().map(|row| row.iter().collect()).collect();
        lines.join("\n")
    }
}
