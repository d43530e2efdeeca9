//! Columns of a CSV file as arrays.
//!
//! - Columns are named by the header, or by their position from 1 on: `#2`. Several are joined by commas, and a run of
//!   neighbors by `..=`: `age,mass..=height,#9`.
//! - One column is an array of rank 1, several are one of rank 2, a row of the file to a row of the array. A table of
//!   one row gives scalars, too.
//! - Space around fields is ignored, and so are lines without any. Fields may be quoted. `nan`, `inf` and `-inf` are
//!   numbers, `true`, `false`, `1` and `0` are truth values.

use csv::{ReaderBuilder, StringRecord, Trim};
use retrograd::error::ArgumentError;
use retrograd::value::{Array, DType, Malformed, Scalar, Type};

/// A CSV file in memory.
#[derive(Clone, Debug)]
pub struct Table {
    header: Option<StringRecord>,
    rows: Vec<StringRecord>,
    width: usize,
}

impl Table {
    /// Reads the bytes of a CSV file, whose first line is a header or is not.
    ///
    /// # Errors
    /// If a row has more or fewer fields than the first one, or is not UTF-8.
    pub fn read(bytes: &[u8], has_header: bool) -> Result<Table, Malformed> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = ReaderBuilder::new().has_headers(has_header).trim(Trim::All).from_reader(bytes);
        let header = if has_header { Some(reader.headers().map_err(malformed)?.clone()) } else { None };
        let rows: Vec<StringRecord> = reader.records().collect::<Result<_, _>>().map_err(malformed)?;
        let width = header.as_ref().or(rows.first()).map_or(0, StringRecord::len);
        Ok(Table { header, rows, width })
    }

    /// The columns of a list as an array of that type.
    ///
    /// # Errors
    /// If there is no such column, their number or that of the rows is another, or a field is no number of that dtype.
    pub fn array(&self, list: &str, ty: &Type) -> Result<Array, Malformed> {
        let columns = self.columns(list)?;
        let got = match (ty.rank(), columns.len()) {
            (0, 1) if self.rows.len() == 1 => Type::scalar(ty.dtype),
            (0 | 1, 1) => Type::new(ty.dtype, [self.rows.len()]),
            (_, n_columns) => Type::new(ty.dtype, [self.rows.len(), n_columns]),
        };
        if got != *ty {
            let (n_rows, n_columns) = (self.rows.len(), columns.len());
            return Err(Malformed::whole(format!("takes {ty}, but got {n_columns} columns of {n_rows} rows")));
        }
        let fields = self.rows.iter().flat_map(|row| columns.iter().map(move |&column| (row, column)));
        let scalars = fields.map(|(row, column)| self.scalar(row, column, ty.dtype)).collect::<Result<Vec<_>, _>>()?;
        Ok(Array::collect(ty, scalars.into_iter()))
    }

    /// The positions of the columns in a list.
    fn columns(&self, list: &str) -> Result<Vec<usize>, Malformed> {
        let mut columns = Vec::new();
        for part in list.split(',').map(str::trim) {
            match part.split_once("..=") {
                None => columns.push(self.column(part)?),
                Some((first, last)) => {
                    let (first, last) = (self.column(first.trim())?, self.column(last.trim())?);
                    if first > last {
                        return Err(Malformed::whole(format!("the columns of {part} are in the opposite order")));
                    }
                    columns.extend(first..=last);
                }
            }
        }
        Ok(columns)
    }

    fn column(&self, name: &str) -> Result<usize, Malformed> {
        let mut named = self.header.iter().flatten().enumerate().filter(|(_, known)| *known == name);
        match (named.next(), named.next()) {
            (Some((column, _)), None) => return Ok(column),
            (Some((first, _)), Some((second, _))) => {
                let (first, second) = (first + 1, second + 1);
                let requirement = format!("takes a column of one name, but #{first} and #{second} are both {name:?}");
                return Err(Malformed::whole(requirement));
            }
            (None, _) => {}
        }
        if let Some(number) = name.strip_prefix('#') {
            return match number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)) {
                Some(column) if column < self.width => Ok(column),
                _ => Err(Malformed::whole(format!("takes columns from #1 to #{}, but got {name}", self.width))),
            };
        }
        let Some(header) = &self.header else {
            return Err(Malformed::whole(format!(
                "without a header, columns are #1 to #{}, but got {name:?}",
                self.width
            )));
        };
        let known = header.iter().map(str::to_string).collect();
        Err(Malformed::whole(ArgumentError::Unknown { kind: "column", name: name.to_string(), known }.to_string()))
    }

    fn scalar(&self, row: &StringRecord, column: usize, dtype: DType) -> Result<Scalar, Malformed> {
        let text = row.get(column).expect("bug: a row of another length");
        parse(text, dtype).ok_or_else(|| {
            let takes = match dtype {
                DType::F64 | DType::F32 => "a number",
                DType::I64 => "an integer of 64 bits",
                DType::Bool => "true, false, 1 or 0",
            };
            let line = row.position().map_or(0, |position| position.line());
            let name = match self.header.as_ref().and_then(|header| header.get(column)) {
                Some(name) => format!("{name:?}"),
                None => format!("#{}", column + 1),
            };
            let got = if text.is_empty() { "nothing".to_string() } else { format!("{text:?}") };
            Malformed::at(format!("line {line}, column {name}"), format!("takes {takes}, but got {got}"))
        })
    }
}

fn parse(text: &str, dtype: DType) -> Option<Scalar> {
    match dtype {
        DType::F64 => number(text).map(Scalar::F64),
        // What is finite must not become infinite.
        DType::F32 => number(text)
            .map(|wide| (wide, wide as f32))
            .filter(|(wide, narrow)| narrow.is_finite() || !wide.is_finite())
            .map(|(_, narrow)| Scalar::F32(narrow)),
        DType::I64 => text.parse().ok().map(Scalar::I64),
        DType::Bool => match text {
            "true" | "True" | "1" => Some(Scalar::Bool(true)),
            "false" | "False" | "0" => Some(Scalar::Bool(false)),
            _ => None,
        },
    }
}

/// A number as it is written everywhere. Rust reads more words than `nan` and `inf`, which some column may hold as names.
fn number(text: &str) -> Option<f64> {
    let digits = text.contains(|c: char| c.is_ascii_digit());
    let known = ["nan", "NaN", "inf", "-inf"].contains(&text);
    let number = if digits || known { text.parse().ok() } else { None };
    // What is written in digits is finite.
    number.filter(|number: &f64| known || number.is_finite())
}

fn malformed(error: csv::Error) -> Malformed {
    let line = error.position().map(|position| position.line());
    let place = line.map_or_else(String::new, |line| format!("line {line}"));
    let requirement = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("takes {expected_len} fields, as in the first line, but got {len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_string(),
        _ => error.to_string(),
    };
    Malformed { place, requirement }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{feff}age,\"mass, kg\", tall ,n\n1.5,2,true,3\n\n-0,inf,0,-4\n";

    fn array(list: &str, ty: &str) -> Result<String, String> {
        let table = Table::read(TEXT.as_bytes(), true).unwrap();
        table.array(list, &Type::parse(ty).unwrap()).map(|array| array.to_json()).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_become_arrays() {
        let is = |list: &str, ty: &str, expected: &str| assert_eq!(array(list, ty).unwrap(), expected);
        is("age", "f64[2]", "[1.5, -0.0]");
        is("#2, age", "f32[2,2]", "[[2.0, 1.5], [\"inf\", -0.0]]");
        is("age..=#2,n", "f64[2,3]", "[[1.5, 2.0, 3.0], [-0.0, \"inf\", -4.0]]");
        is("n", "i64[2]", "[3, -4]");
        is("n", "i64[2,1]", "[[3], [-4]]");
        is("tall", "bool[2]", "[true, false]");
        let one_row = Table::read(b"2.5,7", false).unwrap();
        assert_eq!(one_row.array("#2", &Type::parse("i64[]").unwrap()).unwrap().to_json(), "7");
    }

    #[test]
    fn errors_name_line_and_column() {
        let fails = |list: &str, ty: &str, expected: &str| assert_eq!(array(list, ty).unwrap_err(), expected);
        fails("aeg", "f64[2]", "there is no column \"aeg\"; did you mean \"age\"?");
        fails("#5", "f64[2]", "takes columns from #1 to #4, but got #5");
        fails("#0", "f64[2]", "takes columns from #1 to #4, but got #0");
        fails("n..=age", "f64[2,4]", "the columns of n..=age are in the opposite order");
        fails("age", "f64[3]", "takes f64[3], but got 1 columns of 2 rows");
        fails("age,n", "f64[2]", "takes f64[2], but got 2 columns of 2 rows");
        fails("age", "f64[]", "takes f64[], but got 1 columns of 2 rows");
        fails("tall", "f64[2]", "line 2, column \"tall\": takes a number, but got \"true\"");
        fails("age", "i64[2]", "line 2, column \"age\": takes an integer of 64 bits, but got \"1.5\"");
        fails("n", "bool[2]", "line 2, column \"n\": takes true, false, 1 or 0, but got \"3\"");
        let read = |text: &str, has_header| Table::read(text.as_bytes(), has_header);
        let error = read("a,b\n1,2\n3,4,5\n", true).unwrap_err();
        assert_eq!(error.to_string(), "line 3: takes 2 fields, as in the first line, but got 3");
        let error = Table::read(b"1,2\n3,\xff\n", false).unwrap_err();
        assert_eq!(error.to_string(), "line 2: is not UTF-8");
        let table = read("1,\n", false).unwrap();
        let column = |name: &str| table.array(name, &Type::parse("f64[]").unwrap()).unwrap_err().to_string();
        assert_eq!(column("#2"), "line 1, column #2: takes a number, but got nothing");
        assert_eq!(column("a"), "without a header, columns are #1 to #2, but got \"a\"");
        let table = read("infinity\n1e400\n", false).unwrap();
        assert_eq!(
            table.array("#1", &Type::parse("f64[2]").unwrap()).unwrap_err().to_string(),
            "line 1, column #1: takes a number, but got \"infinity\""
        );
        for (text, ty) in [("1e39\n", "f32[1]"), ("1e400\n", "f64[1]"), ("-1e400\n", "f32[1]")] {
            assert!(read(text, false).unwrap().array("#1", &Type::parse(ty).unwrap()).is_err(), "{text}");
        }
        let table = read("a,b,a\n1,2,3\n", true).unwrap();
        let column = |name: &str| table.array(name, &Type::parse("f64[]").unwrap());
        assert_eq!(column("a").unwrap_err().to_string(), "takes a column of one name, but #1 and #3 are both \"a\"");
        assert!(column("b").is_ok() && column("#3").is_ok());
    }
}
