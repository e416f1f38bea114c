//! The pipe and the status file of Nagios, as its adapter uses them: with a pipe that is read, one that nobody reads, and files that are something else.

use halcyon::adapters::monitoring::nagios::{Nagios, NagiosOptions};
use halcyon::core::alert::notification::State;
use halcyon::core::alert::order::{Mark, Order, Part, Target, Wanted};
use halcyon::runtime::ports::{Monitoring, MonitoringError, Of};
use jiff::{SignedDuration, Timestamp};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

fn nagios(folder: &Path, by: &[&str]) -> Nagios {
    Nagios::new(NagiosOptions {
        name: "nagios".to_owned(),
        site: "mon01".to_owned(),
        command_file: folder.join("nagios.cmd"),
        status_file: folder.join("status.dat"),
        by: by.iter().map(|word| (*word).to_owned()).collect(),
        timeout: Duration::from_secs(20),
        now: halcyon::app::now,
    })
}

fn status(written: Timestamp) -> String {
    let now = written.as_second();
    format!(
        "# a comment\ninfo {{\n\tcreated={now}\n\tversion=4.4.6\n\t}}\nprogramstatus {{\n\tnext_downtime_id=9\n\t}}\n\
         hoststatus {{\n\thost_name=wn001\n\tcurrent_state=0\n\tstate_type=1\n\tscheduled_downtime_depth=1\n\t}}\n\
         servicestatus {{\n\thost_name=wn001\n\tservice_description=Port\n\tcurrent_state=2\n\tstate_type=1\n\tplugin_output=a=b; c\n\t\
         last_state_change={now}\n\tlast_check={now}\n\tproblem_has_been_acknowledged=1\n\tis_flapping=0\n\tscheduled_downtime_depth=1\n\t}}\n\
         servicecomment {{\n\thost_name=wn001\n\tservice_description=Port\n\tentry_type=4\n\tauthor=lead\n\tcomment_data=on it (lead via Halcyon, #ab12cd)\n\t}}\n\
         servicecomment {{\n\thost_name=wn001\n\tservice_description=Port\n\tentry_type=1\n\tauthor=operator\n\tcomment_data=odd\n\t}}\n\
         servicedowntime {{\n\thost_name=wn001\n\tservice_description=Port\n\tdowntime_id=7\n\tauthor=lead\n\tcomment=cable\n\tstart_time={now}\n\tend_time={now}\n\t}}\n\
         hostdowntime {{\n\thost_name=wn001\n\tdowntime_id=8\n\tauthor=operator\n\tcomment=board\n\tstart_time={now}\n\tend_time={now}\n\t}}\n\
         hoststatus {{\n\thost_name=wn002\n\tcurrent_state=1\n"
    )
}

fn port() -> Target {
    Target { host: "wn001".to_owned(), service: Some("Port".to_owned()) }
}

fn order(wanted: Wanted) -> Order {
    Order {
        parts: vec![Part { monitoring: String::new(), about: vec![port()] }],
        wanted,
        mark: Mark { who: "le;ad".to_owned(), execution: "ab12cd".to_owned() },
        comment: "on it; `now` | $(reboot)".to_owned(),
        patience: None,
    }
}

#[tokio::test]
async fn what_stands_in_the_status_file() {
    for by in [&[][..], &["env"]] {
        let folder = tempfile::tempdir().unwrap();
        let nagios = nagios(folder.path(), by);
        assert!(matches!(nagios.read(&Of::Open).await, Err(MonitoringError::Later { .. })), "there is none");
        std::fs::write(folder.path().join("status.dat"), status(halcyon::app::now())).unwrap();
        let other = Target { host: "wn001".to_owned(), service: Some("Fan".to_owned()) };
        let reading = nagios.read(&Of::Named(vec![port(), other.clone()])).await.unwrap();
        assert_eq!(reading.unknown, [other]);
        let found = reading.of(&port()).unwrap();
        assert_eq!((found.state, found.hard, found.output.as_str()), (Some(State::Critical), true, "a=b; c"));
        assert_eq!(found.problem.site, "mon01");
        assert_eq!(found.acknowledged.as_ref().unwrap().comment, "on it (lead via Halcyon, #ab12cd)");
        assert_eq!(found.comments.iter().map(|said| said.comment.as_str()).collect::<Vec<_>>(), ["odd"]);
        let downtimes: Vec<_> =
            found.downtimes.iter().map(|downtime| (downtime.id.as_str(), downtime.covers)).collect();
        assert_eq!(downtimes, [("7", false), ("8", true)]);
        // A block that is only half there is none.
        let open = nagios.read(&Of::Open).await.unwrap();
        assert!(open.all && open.list.len() == 1, "{open:?}");
        let old = halcyon::app::now().checked_sub(SignedDuration::from_mins(20)).unwrap();
        std::fs::write(folder.path().join("status.dat"), status(old)).unwrap();
        let Err(MonitoringError::Later { why }) = nagios.read(&Of::Open).await else { panic!("a daemon that is gone") };
        assert!(why.contains("has not written its status file for 1200 s"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_into_the_pipe() {
    for by in [&[][..], &["env"]] {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("nagios.cmd");
        let nagios = nagios(folder.path(), by);
        std::fs::write(folder.path().join("status.dat"), status(halcyon::app::now())).unwrap();
        let found = nagios.read(&Of::Named(vec![port()])).await.unwrap().list.remove(0);
        let send = |wanted: Wanted| {
            let (nagios, found) = (&nagios, &found);
            async move { nagios.send(&order(wanted), &port(), found).await }
        };
        assert!(send(Wanted::Comment).await.is_err(), "there is no pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let why = send(Wanted::Comment).await.expect_err("nobody reads it").to_string();
        assert!(why.contains("nobody reads") || why.contains("No such device"), "{why}");
        // Opened for both it is never at its end.
        let reading = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        let mut lines = BufReader::new(reading).lines();
        let end = Timestamp::from_second(2_000_000_000).unwrap();
        let start = Timestamp::from_second(1_999_996_400).unwrap();
        let said = "le ad;on it  `now` | $(reboot) (le ad via Halcyon, #ab12cd)";
        for (wanted, expected) in [
            (
                Wanted::Acknowledge { sticky: true, notify: true, expires: None },
                format!("ACKNOWLEDGE_SVC_PROBLEM;wn001;Port;2;1;0;{said}"),
            ),
            (
                Wanted::Acknowledge { sticky: false, notify: false, expires: None },
                format!("ACKNOWLEDGE_SVC_PROBLEM;wn001;Port;1;0;0;{said}"),
            ),
            (Wanted::RemoveAcknowledgement, "REMOVE_SVC_ACKNOWLEDGEMENT;wn001;Port".to_owned()),
            (
                Wanted::Downtime { start: Some(start), end },
                format!("SCHEDULE_SVC_DOWNTIME;wn001;Port;1999996400;2000000000;1;0;3600;{said}"),
            ),
            (Wanted::RemoveDowntime { id: None, token: None }, "DEL_SVC_DOWNTIME;7".to_owned()),
            (Wanted::RemoveDowntime { id: Some("8".to_owned()), token: None }, "DEL_HOST_DOWNTIME;8".to_owned()),
            (Wanted::Comment, format!("ADD_SVC_COMMENT;wn001;Port;1;{said}")),
        ] {
            send(wanted).await.unwrap();
            let line = lines.next().unwrap().unwrap();
            assert_eq!(line.split_once("] ").unwrap().1, expected);
        }
        drop(lines);
        std::fs::remove_file(&pipe).unwrap();
        std::fs::write(&pipe, "").unwrap();
        if by.is_empty() {
            let why = send(Wanted::Comment).await.expect_err("it is no pipe").to_string();
            assert!(why.contains("is no pipe"), "{why}");
        }
        assert!(matches!(
            send(Wanted::MoveDowntime { id: "7".to_owned(), end }).await,
            Err(MonitoringError::Refused { .. })
        ));
    }
}
