//! A notification as a site hands it to its plugins: variables of the environment.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::SITE;
use super::site::Host;
use super::watched::Watched;

/// What was told, for whoever wants to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    /// `PROBLEM`, `RECOVERY`, …
    pub kind: &'static str,
    /// The host.
    pub host: String,
    /// The service, where it is about one.
    pub service: Option<String>,
    /// The state at that time: 0 is well.
    pub state: u8,
}

/// The variables of one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notification(pub(super) Vec<(String, String)>);

/// What a notification is made of.
pub(super) struct About<'a> {
    pub(super) server: &'a str,
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
    pub(super) host: &'a Host,
    pub(super) service: Option<&'a str>,
    /// By whom, and what they said.
    pub(super) said: Option<(&'a str, &'a str)>,
    /// Downtimes that the host is in.
    pub(super) depth: usize,
    /// In microseconds.
    pub(super) now: i64,
}

const HOST_STATES: [&str; 3] = ["UP", "DOWN", "UNREACHABLE"];
const SERVICE_STATES: [&str; 4] = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];

fn word(states: &[&'static str], state: u8) -> &'static str {
    states.get(usize::from(state)).copied().unwrap_or("UNKNOWN")
}

fn short(word: &str) -> String {
    word.chars().take(4).collect()
}

impl About<'_> {
    /// All variables. Times of a clock are UTC, as the plugin's own.
    pub(super) fn written(&self) -> Notification {
        let mut variables = Vec::new();
        let mut put = |name: &str, value: String| variables.push((format!("NOTIFY_{name}"), value));
        let seconds = self.now / 1_000_000;
        let time = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(TimeZone::UTC);
        let (author, comment) = self.said.unwrap_or_default();
        let root = format!("/omd/sites/{SITE}");
        let link = |view: &str, more: &str| {
            format!(
                "/check_mk/index.py?start_url=view.py%3Fview_name%3D{view}%26host%3D{}{more}%26site%3D{SITE}",
                self.name
            )
        };
        for (name, value) in [
            ("OMD_SITE", SITE),
            ("OMD_ROOT", &root),
            ("WHAT", if self.service.is_some() { "SERVICE" } else { "HOST" }),
            ("NOTIFICATIONTYPE", self.kind),
            ("NOTIFICATIONAUTHOR", author),
            ("NOTIFICATIONCOMMENT", comment),
            ("MONITORING_HOST", self.server),
            ("HOSTNAME", self.name),
            ("HOSTALIAS", self.name),
            ("HOSTADDRESS", &self.host.address),
            ("HOST_ADDRESS_4", &self.host.address),
            ("HOST_ADDRESS_6", ""),
            ("HOST_ADDRESS_FAMILY", "4"),
            ("HOSTFORURL", self.name),
            ("HOSTNOTESURL", ""),
            ("HOSTTAGS", "/wato/ cmk-agent ip-v4 lan prod"),
            ("HOSTGROUPNAMES", "check_mk"),
            ("HOSTCONTACTGROUPNAMES", "all"),
            ("HOST_SL", "0"),
            ("HOSTLABEL_cmk/os_family", "linux"),
            ("HOSTLABEL_cmk/site", SITE),
            ("CONTACTNAME", "chatops"),
            ("CONTACTALIAS", "ChatOps"),
            ("CONTACTEMAIL", ""),
            ("CONTACTPAGER", ""),
            ("CONTACTS", "chatops"),
            ("PARAMETERS", ""),
        ] {
            put(name, value.to_owned());
        }
        put("MICROTIME", self.now.to_string());
        put("DATE", time.strftime("%Y-%m-%d").to_string());
        put("SHORTDATETIME", time.strftime("%Y-%m-%d %H:%M:%S").to_string());
        put("LONGDATETIME", time.strftime("%a %b %d %H:%M:%S UTC %Y").to_string());
        put("LOGDIR", format!("{root}/var/check_mk/notify"));
        put("HOSTDOWNTIME", self.depth.to_string());
        put("HOSTURL", link("hoststatus", ""));
        self.state_of("HOST", &HOST_STATES, &self.host.itself, seconds, &mut put);
        put("HOSTCHECKCOMMAND", "check-mk-host-smart".to_owned());
        let Some((name, service)) = self.service.and_then(|name| Some((name, self.host.services.get(name)?))) else {
            return Notification(variables);
        };
        let quoted = name.replace(' ', "%20");
        put("SERVICEDESC", name.to_owned());
        put("SERVICEFORURL", quoted.clone());
        put("SERVICEURL", link("service", &format!("%26service%3D{quoted}")));
        put("SERVICEGROUPNAMES", String::new());
        put("SERVICECONTACTGROUPNAMES", "all".to_owned());
        put("SVC_SL", "0".to_owned());
        let check = name.split([' ', '/']).next().unwrap_or_default().to_lowercase();
        put("SERVICECHECKCOMMAND", format!("check_mk-{check}"));
        self.state_of("SERVICE", &SERVICE_STATES, service, seconds, &mut put);
        Notification(variables)
    }

    /// What hosts and services have alike.
    fn state_of(
        &self,
        what: &str,
        states: &[&'static str],
        watched: &Watched,
        now: i64,
        put: &mut impl FnMut(&str, String),
    ) {
        let since = |then: i64| {
            let past = (now - then).max(0);
            format!("{}d {:02}:{:02}:{:02}", past / 86_400, past / 3_600 % 24, past / 60 % 60, past % 60)
        };
        let (state, last) = (word(states, watched.state), word(states, watched.last_state));
        let before = word(states, watched.previous_hard_state);
        let good = if what == "HOST" { "UP" } else { "OK" };
        let taken = watched.acknowledged.as_ref();
        for (name, value) in [
            (format!("{what}STATE"), state.to_owned()),
            (format!("{what}STATEID"), watched.state.to_string()),
            (format!("{what}SHORTSTATE"), short(state)),
            (format!("LAST{what}STATE"), last.to_owned()),
            (format!("LAST{what}STATEID"), watched.last_state.to_string()),
            (format!("LAST{what}SHORTSTATE"), short(last)),
            (format!("PREVIOUS{what}HARDSTATE"), before.to_owned()),
            (format!("PREVIOUS{what}HARDSHORTSTATE"), short(before)),
            (format!("{what}ATTEMPT"), watched.attempt.max(1).to_string()),
            (format!("LAST{what}STATECHANGE"), watched.last_state_change.to_string()),
            (format!("LAST{what}STATECHANGE_REL"), since(watched.last_state_change)),
            (format!("LAST{what}{good}"), watched.last_good.to_string()),
            (format!("LAST{what}{good}_REL"), since(watched.last_good)),
            (format!("{what}OUTPUT"), watched.output.clone()),
            (format!("LONG{what}OUTPUT"), String::new()),
            (format!("{what}PERFDATA"), String::new()),
            // CheckMK makes 1 of 0.
            (format!("{what}NOTIFICATIONNUMBER"), watched.number.max(1).to_string()),
            (format!("{what}PROBLEMID"), watched.problem.to_string()),
            (format!("LAST{what}PROBLEMID"), watched.last_problem.to_string()),
            (format!("{what}ACKAUTHOR"), taken.map(|taken| taken.author.clone()).unwrap_or_default()),
            (format!("{what}ACKCOMMENT"), taken.map(|taken| taken.comment.clone()).unwrap_or_default()),
        ] {
            put(&name, value);
        }
    }
}
