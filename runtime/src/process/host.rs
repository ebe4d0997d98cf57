//! The server as the system and its service manager see it.
//!
//! | file | content |
//! |---|---|
//! | `presence` | all of the below, in the order in which a server does it; binds a worker to one core |
//! | `title` | the title in `ps` |
//! | `pid_file` | the locked pid file |
//! | `notify` | messages to systemd (`sd_notify`) |
//! | `privileges` | gives up root |

pub(crate) mod notify;
pub(crate) mod pid_file;
pub(crate) mod presence;
pub(crate) mod privileges;
pub(crate) mod title;
