//! The table: what was measured, beside what is to be reached.

/// Rows as they come.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<[String; 3]>);

impl Table {
    /// Adds one, and shows it at once: the whole takes minutes.
    pub(crate) fn row(&mut self, what: &str, measured: String, reach: &str) {
        eprintln!("{what}: {measured}");
        self.0.push([what.to_owned(), measured, reach.to_owned()]);
    }

    pub(crate) fn text(&self) -> String {
        let head = ["figure", "measured", "to reach"].map(str::to_owned);
        let rows: Vec<&[String; 3]> = [&head].into_iter().chain(&self.0).collect();
        let width = |column: usize| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths = [width(0), width(1)];
        let line = |row: &&[String; 3]| {
            let [what, measured, reach] = row;
            format!("{what:<0$}  {measured:<1$}  {reach}", widths[0], widths[1])
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}
