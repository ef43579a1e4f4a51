//! Who a process runs as: `process.user`, with names looked up in the container's /etc/passwd and /etc/group as Docker
//! does.

use super::parse::refuse;
use super::spec::User;
use crate::error::Result;

/// A user with all that it implies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home directory from /etc/passwd, if the user is there.
    pub home: Option<String>,
}

struct PasswdEntry<'text> {
    name: &'text str,
    uid: u32,
    gid: u32,
    home: &'text str,
}

fn passwd_entries(text: &str) -> impl Iterator<Item = PasswdEntry<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let _comment = fields.next();
        Some(PasswdEntry { name, uid, gid, home: fields.next().unwrap_or("") })
    })
}

struct GroupEntry<'text> {
    name: &'text str,
    gid: u32,
    members: &'text str,
}

fn group_entries(text: &str) -> impl Iterator<Item = GroupEntry<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, gid) = (fields.next()?, fields.next()?, fields.next()?.parse().ok()?);
        Some(GroupEntry { name, gid, members: fields.next().unwrap_or("") })
    })
}

/// Resolves `user` with the texts of the container's /etc/passwd and /etc/group (empty where they are missing).
pub fn resolve(path: &str, user: &User, passwd: &str, group: &str) -> Result<Identity> {
    let mut identity = resolve_user(path, user, passwd, group)?;
    for (index, name) in user.additional_groups.iter().enumerate() {
        let gid = resolve_group(&format!("{path}.additionalGroups[{index}]"), name, group)?;
        if !identity.groups.contains(&gid) {
            identity.groups.push(gid);
        }
    }
    Ok(identity)
}

fn resolve_user(path: &str, user: &User, passwd: &str, group: &str) -> Result<Identity> {
    match user.username.as_deref() {
        None | Some("") => {
            let home = passwd_entries(passwd).find(|entry| entry.uid == user.uid).map(|entry| entry.home.to_owned());
            Ok(Identity { uid: user.uid, gid: user.gid, groups: user.additional_gids.clone(), home })
        }
        Some(_) if user.uid != 0 || user.gid != 0 => {
            Err(refuse(format_args!("{path}.username"), "cannot be given together with uid or gid"))
        }
        Some(name) => {
            let mut identity = resolve_name(&format!("{path}.username"), name, passwd, group)?;
            for gid in &user.additional_gids {
                if !identity.groups.contains(gid) {
                    identity.groups.push(*gid);
                }
            }
            Ok(identity)
        }
    }
}

fn resolve_name(path: &str, spec: &str, passwd: &str, group: &str) -> Result<Identity> {
    let (user, group_name) = spec.split_once(':').map_or((spec, None), |(user, group)| (user, Some(group)));
    let number: Option<u32> = user.parse().ok();
    // A number is looked for as a name first, as Docker does.
    let entry = passwd_entries(passwd)
        .find(|entry| entry.name == user)
        .or_else(|| passwd_entries(passwd).find(|entry| Some(entry.uid) == number));
    let mut identity = match (&entry, number) {
        (Some(entry), _) => {
            Identity { uid: entry.uid, gid: entry.gid, groups: Vec::new(), home: Some(entry.home.to_owned()) }
        }
        (None, Some(uid)) => Identity { uid, ..Identity::default() },
        (None, None) if user.is_empty() => Identity::default(),
        (None, None) => return Err(refuse(path, format_args!("user {user:?} is not in the container's /etc/passwd"))),
    };
    match (group_name, &entry) {
        (Some(""), _) => return Err(refuse(path, "the group is empty")),
        (Some(name), _) => identity.gid = resolve_group(path, name, group)?,
        (None, Some(entry)) => {
            let member = |group: &GroupEntry<'_>| group.members.split(',').any(|member| member.trim() == entry.name);
            identity.groups = group_entries(group).filter(member).map(|group| group.gid).collect();
        }
        (None, None) => {}
    }
    Ok(identity)
}

fn resolve_group(path: &str, name: &str, group: &str) -> Result<u32> {
    let named = group_entries(group).find(|entry| entry.name == name).map(|entry| entry.gid);
    named
        .or_else(|| name.parse().ok())
        .ok_or_else(|| refuse(path, format_args!("group {name:?} is not in the container's /etc/group")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\nuser:x:1000:1001:u:/home/user:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nuser:x:1001:\nextra:x:2000:other,user\nuserland:x:2001:users\n";

    fn name(name: &str) -> Result<Identity> {
        resolve(
            "user",
            &User { username: Some(name.into()), additional_gids: vec![7], ..User::default() },
            PASSWD,
            GROUP,
        )
    }

    fn identity(uid: u32, gid: u32, groups: &[u32], home: Option<&str>) -> Identity {
        Identity { uid, gid, groups: groups.to_vec(), home: home.map(str::to_owned) }
    }

    #[test]
    fn names_and_numbers_are_looked_up_as_docker_does() {
        assert_eq!(name("user"), Ok(identity(1000, 1001, &[2000, 7], Some("/home/user"))));
        assert_eq!(name("1000"), Ok(identity(1000, 1001, &[2000, 7], Some("/home/user"))));
        assert_eq!(name("user:extra"), Ok(identity(1000, 2000, &[7], Some("/home/user"))));
        assert_eq!(name("55"), Ok(identity(55, 0, &[7], None)));
        assert_eq!(name("55:66"), Ok(identity(55, 66, &[7], None)));
        assert_eq!(name(":extra"), Ok(identity(0, 2000, &[7], None)));
    }

    #[test]
    fn additional_groups_are_names_or_numbers() {
        let groups = |names: &[&str]| {
            let additional_groups = names.iter().map(|name| (*name).to_owned()).collect();
            let user = User { username: Some("user".into()), additional_groups, ..User::default() };
            resolve("user", &user, PASSWD, GROUP)
        };
        assert_eq!(groups(&["userland", "77", "extra"]).map(|found| found.groups), Ok(vec![2000, 2001, 77]));
        assert!(groups(&["nogroup"]).unwrap_err().message().starts_with("user.additionalGroups[0]"));
    }

    #[test]
    fn unknown_names_are_refused() {
        for wrong in ["nobody", "user:nogroup", "user:", "-1", "4294967296"] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
        assert!(
            resolve("user", &User { username: Some("user".into()), uid: 5, ..User::default() }, PASSWD, GROUP).is_err()
        );
    }

    #[test]
    fn numbers_in_the_document_are_taken_as_they_are() {
        let user = User { uid: 1000, gid: 5, additional_gids: vec![9], ..User::default() };
        assert_eq!(resolve("user", &user, PASSWD, GROUP), Ok(identity(1000, 5, &[9], Some("/home/user"))));
    }
}
