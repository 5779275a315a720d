//! The XML of Niconico: `<packet><chat vpos="" user_id="">text</chat></packet>`, with times in
//! hundredths of a second.

use std::borrow::Cow;

use super::builder::{Builder, Said, Sender};
use super::elements::{Element, Elements, Found};
use super::flaw::Flaw;
use super::source::Source;
use super::time::{self, Time};
use super::{Content, MAX_SECONDS};

/// Reads all messages of the document into the recording.
pub(super) fn read(source: &mut Source<'_>, recording: &mut Builder) -> Result<(), Flaw> {
    let mut elements = Elements::new(source, &["chat"]);
    let mut buffer = Vec::new();
    let mut number = 0;
    loop {
        match elements.next_into(&mut buffer) {
            Ok(Found::End) => return Ok(()),
            Ok(Found::Other) => {
                recording.pass_over(&format!("<{}>", String::from_utf8_lossy(&buffer)));
            }
            Ok(Found::Element { line, name }) => {
                number += 1;
                match Element::read(line, name, &buffer).and_then(said) {
                    Ok(Some((time, [id, name], text))) => {
                        let sender = Sender { id: id.as_deref(), name: name.as_deref() };
                        let content = Content::Text(text);
                        recording.take(Ok(Some(Said { line, time, sender, content })))?;
                    }
                    Ok(None) => recording.pass_over("<chat> that was deleted"),
                    Err(flaw) => recording.leave_out(flaw.in_record(number))?,
                }
            }
            Err(flaw) => recording.leave_out(flaw)?,
        }
    }
}

type Message = (Time, [Option<String>; 2], String);

fn said(mut element: Element<'_>) -> Result<Option<Message>, Flaw> {
    let text = element.take_text();
    if element.attribute("deleted")?.is_some_and(|deleted| !matches!(&*deleted, "" | "0")) {
        return Ok(None);
    }
    let vpos = element.required("vpos", "vpos=\"hundredths of a second\"")?;
    let offset = time::number(&vpos).and_then(|units| time::offset(units, 100.0));
    let most = u64::from(MAX_SECONDS) * 100;
    let want = || format!("hundredths of a second, -{most} to {most}");
    let offset = offset.ok_or_else(|| Flaw::time(element.line, "vpos", &vpos, want()))?;
    let attribute = |name| Ok(element.any_attribute(&[name])?.map(Cow::into_owned));
    Ok(Some((Time::Offset(offset), [attribute("user_id")?, attribute("name")?], text)))
}
