//! The environment variable `SQUALL_SOCKETS`, which describes a server's sockets to its successor.

use std::fmt;
use std::io;
use std::os::fd::RawFd;

use crate::net::Traits;

/// Standard input, output and error are not handed over like this.
const FIRST: RawFd = 3;

/// The sockets that are handed over, and to which process.
///
/// The text is `process:role:number:file` and, for each address, `:descriptors:name`, such as
/// `71:upgrade:12:13:7,8*:web:9!:`. The process is the one that hands over. The number is the
/// descriptor to report to, or the numbers of the processes that serve meanwhile, or `-`. The file
/// is the descriptor of the pid file, or `-`. After a comma, the descriptor of the memory in which
/// workers exchange messages may follow. The descriptors are those of the slots, in order. `*`
/// means that the kernel has chosen the port, `!` that all workers share one socket. The name is
/// systemd's.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) role: Role,
    pub(crate) ready: Option<RawFd>,
    pub(crate) pid_file: Option<RawFd>,
    pub(crate) area: Option<RawFd>,
    pub(crate) groups: Vec<Group>,
}

/// As what the next server is started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// A process beside the one that hands over, which ends when this one is ready.
    Upgrade,
    /// A process beside the one that hands over, which executes the same program when this one is
    /// ready.
    Trial,
    /// The same process. These children serve until it is ready.
    InPlace { others: Vec<i32> },
}

/// The sockets of one address.
#[derive(Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) descriptors: Vec<RawFd>,
    pub(crate) traits: Traits,
    pub(crate) name: String,
}

impl Plan {
    /// Parses the text for the process `own` with the parent `parent`. Returns `None` if it is
    /// meant for another process.
    pub(crate) fn parse(text: &str, own: u32, parent: u32) -> io::Result<Option<Self>> {
        let mut fields = text.split(':');
        let mut field = || fields.next().ok_or_else(|| malformed("it is too short"));
        let process = number(field()?)?.cast_unsigned();
        let role = field()?;
        let references = match field()? {
            "-" => Vec::new(),
            text => text.split(',').map(number).collect::<io::Result<_>>()?,
        };
        let files = field()?;
        let (pid_file, area) = match files.split_once(',') {
            Some((pid_file, area)) => (pid_file, Some(number(area)?)),
            None => (files, None),
        };
        let pid_file = match pid_file {
            "-" => None,
            text => Some(number(text)?),
        };
        let ready = references.first().copied();
        let (role, ready, from) = match role {
            "upgrade" if references.len() < 2 => (Role::Upgrade, ready, parent),
            "trial" if references.len() < 2 => (Role::Trial, ready, parent),
            "exec" => (Role::InPlace { others: references }, None, own),
            _ => return Err(malformed("there is no such role")),
        };
        if process != from {
            return Ok(None);
        }
        let mut groups = Vec::new();
        while let Some(descriptors) = fields.next() {
            let name = fields.next().ok_or_else(|| malformed("a name is missing"))?;
            groups.push(Group::parse(descriptors, name)?);
        }
        let plan = Self { role, ready, pid_file, area, groups };
        plan.check()?;
        Ok(Some(plan))
    }

    /// The text that says this, from the process `own`.
    pub(crate) fn to_text(&self, own: u32) -> String {
        let ready: Vec<_> = self.ready.into_iter().collect();
        let (role, numbers) = match &self.role {
            Role::Upgrade => ("upgrade", &ready),
            Role::Trial => ("trial", &ready),
            Role::InPlace { others } => ("exec", others),
        };
        let numbers = if numbers.is_empty() { "-".to_owned() } else { list(numbers) };
        let file = self.pid_file.map_or_else(|| "-".to_owned(), |file| file.to_string());
        let area = self.area.map(|area| format!(",{area}")).unwrap_or_default();
        let mut text = format!("{own}:{role}:{numbers}:{file}{area}");
        for group in &self.groups {
            text.push_str(&format!(":{group}"));
        }
        text
    }

    /// All descriptors there are.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let sockets = self.groups.iter().flat_map(|group| group.descriptors.iter().copied());
        sockets.chain(self.ready).chain(self.pid_file).chain(self.area)
    }

    /// Checks that no descriptor is one of the first three, or is listed twice: each is taken, and
    /// closed by its new owner.
    fn check(&self) -> io::Result<()> {
        let mut seen: Vec<RawFd> = self.descriptors().collect();
        seen.sort_unstable();
        if seen.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(malformed("a descriptor is there twice"));
        }
        if seen.first().is_some_and(|&first| first < FIRST) {
            return Err(malformed("a descriptor is a standard one"));
        }
        Ok(())
    }
}

impl Group {
    fn parse(text: &str, name: &str) -> io::Result<Self> {
        let numbers = text.trim_end_matches(['*', '!']);
        let flags = &text[numbers.len()..];
        let traits = Traits { any_port: flags.contains('*'), shared: flags.contains('!') };
        let descriptors = numbers.split(',').map(number).collect::<io::Result<_>>()?;
        Ok(Self { descriptors, traits, name: name.to_owned() })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = |is_set, flag| if is_set { flag } else { "" };
        let Traits { any_port, shared } = self.traits;
        let (any_port, shared) = (flag(any_port, "*"), flag(shared, "!"));
        write!(f, "{}{any_port}{shared}:{}", list(&self.descriptors), self.name)
    }
}

fn list(numbers: &[i32]) -> String {
    let texts: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    texts.join(",")
}

/// A number of digits only, from 0.
fn number(text: &str) -> io::Result<i32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| malformed("a number is missing"))
}

fn malformed(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(descriptors: &[RawFd], traits: Traits, name: &str) -> Group {
        Group { descriptors: descriptors.to_vec(), traits, name: name.to_owned() }
    }

    fn plan(role: Role, ready: Option<RawFd>) -> Plan {
        let (none, any) = (Traits::default(), Traits { any_port: true, shared: false });
        let shared = Traits { any_port: false, shared: true };
        let groups = vec![
            group(&[7, 8, 9], none, ""),
            group(&[10], any, ""),
            group(&[11], shared, "a name; with, *signs!"),
        ];
        Plan { role, ready, pid_file: Some(13), area: None, groups }
    }

    #[test]
    fn the_intended_process_reads_the_written_plan() {
        for (role, ready, own, parent) in [
            (Role::Upgrade, Some(12), 9, 71),
            (Role::Upgrade, None, 9, 71),
            (Role::Trial, Some(12), 9, 71),
            (Role::InPlace { others: vec![80, 81] }, None, 71, 1),
            (Role::InPlace { others: Vec::new() }, None, 71, 71),
        ] {
            let plan = plan(role, ready);
            let text = plan.to_text(71);
            assert_eq!(Plan::parse(&text, own, parent).unwrap(), Some(plan), "{text}");
            assert_eq!(Plan::parse(&text, 100, 101).unwrap(), None, "{text}");
        }
        for (pid_file, files) in [(Some(13), ":13,14:"), (None, ":-,14:")] {
            let plan = Plan { pid_file, area: Some(14), ..plan(Role::Upgrade, None) };
            let text = plan.to_text(71);
            assert!(text.contains(files), "{text}");
            assert_eq!(Plan::parse(&text, 9, 71).unwrap(), Some(plan));
        }
        let text = plan(Role::Upgrade, None).to_text(71);
        assert_eq!(text, "71:upgrade:-:13:7,8,9::10*::11!:a name; with, *signs!");
        assert_eq!(Plan::parse(&text, 71, 1).unwrap(), None, "it has written it itself");
    }

    #[test]
    fn malformed_input_is_refused() {
        for text in [
            "",
            "71",
            "71:upgrade",
            "71:upgrade:-",
            "71:downgrade:-:-",
            "71:upgrade:x:-",
            "71:upgrade:-:x",
            "71:upgrade:5,6:-",
            "71:exec:80,:-",
            "71:upgrade:-:-:7",
            "71:upgrade:-:-::",
            "71:upgrade:-:-:7,,8:",
            "71:upgrade:-:-:7,+8:",
            "71:upgrade:-:-:7*8:",
            "71:upgrade:-:-:7,8,7:",
            "71:upgrade:-:-:7::7:",
            "71:upgrade:7:-:7:",
            "71:upgrade:-:7:7:",
            "71:upgrade:-:7,7",
            "71:upgrade:-:7,-",
            "71:upgrade:-:7,",
            "71:upgrade:-:-:2:",
            "71:upgrade:-:-:99999999999:",
            "-71:upgrade:-:-",
        ] {
            assert!(Plan::parse(text, 9, 71).is_err(), "{text}");
        }
    }
}
