//! What a monitoring is told to do: a line `COMMAND [time] NAME;argument;…`, to which there is no answer.
//!
//! **As in life, what is wrong with it is not said**: without a time, with a name that is not known or about a thing that is not watched it does nothing.

use super::site::{Downtime, Site};
use super::watched::{Acknowledgement, OF_ACKNOWLEDGEMENT, OWN_WORDS};

/// The bit of `SEND_CUSTOM_*_NOTIFICATION` that sends it whatever forbids it.
const FORCED: u32 = 2;

impl Site {
    /// Does what a line says.
    pub(super) fn command(&mut self, line: &str, now: i64) {
        let _ = self.obey(line, now);
    }

    fn obey(&mut self, line: &str, now: i64) -> Option<()> {
        let (time, rest) = line.trim().strip_prefix("COMMAND")?.trim_start().strip_prefix('[')?.split_once(']')?;
        time.trim().parse::<i64>().ok()?;
        let mut parts = rest.trim().split(';');
        let name = parts.next()?;
        let arguments: Vec<&str> = parts.collect();
        let of_service = name.contains("_SVC_") && !name.contains("_HOST_SVC_");
        // Without a service the arguments begin one earlier.
        let at = |place: usize| arguments.get(place + usize::from(of_service)).copied();
        // What is written last may have semicolons in it.
        let last = |place: usize| {
            let rest = arguments.get(place + usize::from(of_service)..).unwrap_or_default().join(";");
            (!rest.is_empty()).then_some(rest)
        };
        let host = arguments.first().copied()?.to_owned();
        let service = if of_service { arguments.get(1).map(|name| (*name).to_owned()) } else { None };
        let number = |place: usize| at(place)?.trim().parse::<i64>().ok();
        match name {
            "DEL_HOST_DOWNTIME" | "DEL_SVC_DOWNTIME" => self.cancel_downtime(host.trim().parse().ok()?, of_service),
            _ if self.watched(&host, service.as_deref()).is_none() => return None,
            "ACKNOWLEDGE_HOST_PROBLEM" | "ACKNOWLEDGE_SVC_PROBLEM" => {
                let (sticky, tell, author, comment) = (number(1)? == 2, number(2)? != 0, at(4)?.to_owned(), last(5)?);
                let watched = self.watched(&host, service.as_deref()).filter(|watched| watched.state != 0)?;
                watched.give_back();
                let (by, words) = (author.clone(), comment.clone());
                watched.acknowledged = Some(Acknowledgement { sticky, author: by, comment: words, expires: None });
                self.write((&host, service.as_deref()), OF_ACKNOWLEDGEMENT, (&author, &comment), now);
                if tell && !self.is_muted(&host, service.as_deref()) {
                    self.notify("ACKNOWLEDGEMENT", &host, service.as_deref(), Some((&author, &comment)));
                }
            }
            "REMOVE_HOST_ACKNOWLEDGEMENT" | "REMOVE_SVC_ACKNOWLEDGEMENT" => {
                self.watched(&host, service.as_deref())?.give_back();
                self.turns += 1;
                self.settle(&host, service.as_deref());
            }
            "ADD_HOST_COMMENT" | "ADD_SVC_COMMENT" => {
                let (author, text) = (at(2)?.to_owned(), last(3)?);
                self.write((&host, service.as_deref()), OWN_WORDS, (&author, &text), now);
            }
            "SCHEDULE_HOST_DOWNTIME" | "SCHEDULE_SVC_DOWNTIME" | "SCHEDULE_HOST_SVC_DOWNTIME" => {
                let downtime = |service: Option<String>| {
                    Some(Downtime {
                        host: host.clone(),
                        service,
                        start: number(1)?,
                        end: number(2)?,
                        fixed: number(3)? != 0,
                        duration: number(5)?,
                        author: at(6)?.to_owned(),
                        comment: last(7)?,
                        entered: now,
                        active: false,
                    })
                };
                let services = match name {
                    "SCHEDULE_HOST_SVC_DOWNTIME" => self.services_of(&host).into_iter().map(Some).collect(),
                    _ => vec![service],
                };
                for service in services {
                    self.schedule(downtime(service)?);
                }
                self.pass_time(now);
            }
            "SCHEDULE_FORCED_HOST_CHECK" | "SCHEDULE_FORCED_SVC_CHECK" | "SCHEDULE_FORCED_HOST_SVC_CHECKS" => {
                // Only `Check_MK` has a check of its own; it looks at all services of its host.
                let with_services = name != "SCHEDULE_FORCED_HOST_CHECK";
                if name == "SCHEDULE_FORCED_SVC_CHECK" && service.as_deref() != Some("Check_MK") {
                    return None;
                }
                let when = arguments.last()?.trim().parse().ok()?;
                self.force(&host, when, with_services);
            }
            "SEND_CUSTOM_HOST_NOTIFICATION" | "SEND_CUSTOM_SVC_NOTIFICATION" => {
                let forced = number(1)? as u32 & FORCED != 0;
                let (author, comment) = (at(2)?.to_owned(), last(3)?);
                if forced || !self.is_muted(&host, service.as_deref()) {
                    self.notify("CUSTOM", &host, service.as_deref(), Some((&author, &comment)));
                }
            }
            _ => return None,
        }
        Some(())
    }
}
