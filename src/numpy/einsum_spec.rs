//! The string of `einsum`: which axes of the operands are one, and which are the output's.

use crate::value::Shape;

/// What a string says of operands of given shapes. Axes are numbered, those of the ellipsis as well.
pub(super) struct Spec {
    /// The number of each axis of each operand.
    pub operands: Vec<Vec<usize>>,
    /// Those of the output's axes.
    pub output: Vec<usize>,
    /// The extent of each number.
    pub extents: Vec<usize>,
}

/// What is wrong with a string, and the byte where it shows.
pub(super) struct SpecError {
    pub requirement: String,
    pub at: Option<usize>,
}

fn error<T>(at: impl Into<Option<usize>>, requirement: String) -> Result<T, SpecError> {
    Err(SpecError { requirement, at: at.into() })
}

/// A part of an operand's or of the output's text, with the byte where it stands.
#[derive(Clone, Copy)]
enum Item {
    Letter(char, usize),
    Ellipsis(usize),
}

/// The most axes that have numbers of their own: sets of them are bits.
pub(super) const MAX_LABELS: usize = 128;

impl Spec {
    pub fn read(text: &str, shapes: &[Shape]) -> Result<Spec, SpecError> {
        let (inputs, output) = match text.find("->") {
            Some(arrow) => (&text[..arrow], Some((arrow + 2, &text[arrow + 2..]))),
            None => (text, None),
        };
        let mut terms = Vec::new();
        let mut start = 0;
        for term in inputs.split(',') {
            terms.push((start, items(term, start)?));
            start += term.len() + 1;
        }
        let output = output.map(|(start, text)| Ok((start, items(text, start)?))).transpose()?;
        if terms.len() != shapes.len() {
            let at = terms.get(shapes.len()).map_or(inputs.len(), |&(start, _)| start);
            return error(at, format!("the string has {} operands, but got {}", terms.len(), shapes.len()));
        }
        Axes::default().number(&terms, shapes, output)
    }
}

fn items(text: &str, start: usize) -> Result<Vec<Item>, SpecError> {
    let mut items = Vec::new();
    let mut rest = text.char_indices();
    while let Some((at, c)) = rest.next() {
        let place = start + at;
        match c {
            ' ' => {}
            'a'..='z' | 'A'..='Z' => items.push(Item::Letter(c, place)),
            '.' if text[at..].starts_with("...") => {
                if items.iter().any(|item| matches!(item, Item::Ellipsis(_))) {
                    return error(place, "takes one ellipsis in each operand".to_string());
                }
                items.push(Item::Ellipsis(place));
                // The other two points.
                rest.nth(1);
            }
            '.' => return error(place, "an ellipsis must be three points in a row".to_string()),
            c => return error(place, format!("takes letters, commas, '...' and one '->', but got {c:?}")),
        }
    }
    Ok(items)
}

/// The numbers given so far.
#[derive(Default)]
struct Axes {
    letters: Vec<(char, usize)>,
    /// The numbers of the ellipsis' axes, from the last one on.
    rest: Vec<usize>,
    extents: Vec<usize>,
}

impl Axes {
    fn number(
        mut self,
        terms: &[(usize, Vec<Item>)],
        shapes: &[Shape],
        output: Option<(usize, Vec<Item>)>,
    ) -> Result<Spec, SpecError> {
        let mut operands = Vec::new();
        for (slot, ((start, items), shape)) in terms.iter().zip(shapes).enumerate() {
            operands.push(self.of_operand(slot, *start, items, shape)?);
        }
        let output = match output {
            Some((start, items)) => self.of_output(start, &items)?,
            None => self.implicit(&operands),
        };
        if self.extents.len() > MAX_LABELS {
            return error(None, format!("takes at most {MAX_LABELS} axes, but got {}", self.extents.len()));
        }
        Ok(Spec { operands, output, extents: self.extents })
    }

    fn of_operand(
        &mut self,
        slot: usize,
        start: usize,
        items: &[Item],
        shape: &Shape,
    ) -> Result<Vec<usize>, SpecError> {
        let has_ellipsis = items.iter().any(|item| matches!(item, Item::Ellipsis(_)));
        let n_letters = items.len() - usize::from(has_ellipsis);
        if n_letters > shape.rank() || (n_letters < shape.rank() && !has_ellipsis) {
            let beyond = items.get(shape.rank()).map(|item| match *item {
                Item::Letter(_, at) | Item::Ellipsis(at) => at,
            });
            let requirement = format!(
                "operand {slot} must have {}{n_letters} axes, but has shape {shape}",
                if has_ellipsis { "at least " } else { "" }
            );
            return error(beyond.unwrap_or(start), requirement);
        }
        let n_rest = shape.rank() - n_letters;
        let mut numbers = Vec::with_capacity(shape.rank());
        for &item in items {
            match item {
                Item::Letter(letter, at) => {
                    let extent = shape[numbers.len()];
                    let number = self.letter(letter);
                    // Within one operand, axes of one letter are walked along together.
                    let own = numbers.iter().position(|&other| other == number).map(|axis| shape[axis]);
                    self.join(number, extent, own, slot, at)?;
                    numbers.push(number);
                }
                Item::Ellipsis(at) => {
                    for k in 0..n_rest {
                        let number = self.rest_axis(n_rest - 1 - k);
                        self.join(number, shape[numbers.len()], None, slot, at)?;
                        numbers.push(number);
                    }
                }
            }
        }
        Ok(numbers)
    }

    fn letter(&mut self, letter: char) -> usize {
        if let Some(&(_, number)) = self.letters.iter().find(|(other, _)| *other == letter) {
            return number;
        }
        let number = self.new_axis();
        self.letters.push((letter, number));
        number
    }

    /// The axis of the ellipsis at that place, counted from the last.
    fn rest_axis(&mut self, from_last: usize) -> usize {
        while self.rest.len() <= from_last {
            let number = self.new_axis();
            self.rest.push(number);
        }
        self.rest[from_last]
    }

    fn new_axis(&mut self) -> usize {
        self.extents.push(1);
        self.extents.len() - 1
    }

    /// Gives an axis the extent that it has in an operand, unless that is 1.
    fn join(
        &mut self,
        number: usize,
        extent: usize,
        own: Option<usize>,
        slot: usize,
        at: usize,
    ) -> Result<(), SpecError> {
        let known = self.extents[number];
        if own.is_some_and(|own| own != extent) || (known != extent && known != 1 && extent != 1) {
            let known = own.unwrap_or(known);
            return error(
                at,
                format!(
                    "an axis of operand {slot} must have extent {known}, as the same axis before it, but has {extent}"
                ),
            );
        }
        if extent != 1 {
            self.extents[number] = extent;
        }
        Ok(())
    }

    fn of_output(&mut self, start: usize, items: &[Item]) -> Result<Vec<usize>, SpecError> {
        let mut numbers = Vec::new();
        for &item in items {
            match item {
                Item::Letter(letter, at) => {
                    let Some(&(_, number)) = self.letters.iter().find(|(other, _)| *other == letter) else {
                        return error(at, format!("{letter:?} of the output must be an axis of an operand"));
                    };
                    if numbers.contains(&number) {
                        return error(at, format!("{letter:?} must be once in the output"));
                    }
                    numbers.push(number);
                }
                Item::Ellipsis(_) => numbers.extend(self.rest.iter().rev()),
            }
        }
        let has_ellipsis = items.iter().any(|item| matches!(item, Item::Ellipsis(_)));
        if !has_ellipsis && !self.rest.is_empty() {
            let n = self.rest.len();
            return error(start, format!("the output must have an ellipsis for the {n} axes of that of the operands"));
        }
        Ok(numbers)
    }

    /// The ellipsis, then the letters that occur once.
    fn implicit(&self, operands: &[Vec<usize>]) -> Vec<usize> {
        let count = |number: usize| operands.iter().flatten().filter(|&&other| other == number).count();
        let mut single: Vec<(char, usize)> =
            self.letters.iter().copied().filter(|&(_, number)| count(number) == 1).collect();
        single.sort_unstable();
        self.rest.iter().rev().copied().chain(single.into_iter().map(|(_, number)| number)).collect()
    }
}
