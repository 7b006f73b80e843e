//! A supervisor that loses what it knew, or some of it: for fleets whose supervisor has an etcd of its own.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Component, Fleet, furnish};
use crate::error::{Error, Result, io};
use crate::etcd::Etcd;
use crate::process::Stop;

impl Fleet {
    /// Copies the supervisor's etcd, as a backup of it.
    pub async fn back_up(&self) -> Result<()> {
        self.supervisor.stop(Stop::Gracefully).await?;
        let etcd = self.own_etcd()?;
        etcd.stop(Stop::Gracefully).await?;
        copy(&etcd.data(), &self.backup())?;
        etcd.start().await?;
        self.supervisor.start().await
    }

    /// Puts the backup in the place of the supervisor's etcd: objects and versions go back.
    pub async fn set_back(&self) -> Result<()> {
        self.halt().await?;
        let etcd = self.own_etcd()?;
        copy(&self.backup(), &etcd.data())?;
        etcd.start().await?;
        self.supervisor.start().await?;
        self.start(&Component::Webhook).await?;
        self.start(&Component::Controller).await
    }

    /// Throws the supervisor's etcd away and installs the operator on the empty one: without KubevirtConfigs, under another UID.
    pub async fn lose_supervisor(&self) -> Result<()> {
        self.halt().await?;
        let etcd = self.own_etcd()?;
        fs::remove_dir_all(etcd.data()).map_err(io("cannot remove", &etcd.data()))?;
        etcd.start().await?;
        furnish::supervisor(&self.supervisor, &furnish::release(self, &[])?, |_| {}).await?;
        furnish::users(self).await?;
        self.start(&Component::Webhook).await?;
        self.start(&Component::Controller).await
    }

    async fn halt(&self) -> Result<()> {
        for ours in [Component::Webhook, Component::Controller] {
            self.stop(&ours, Stop::AtOnce).await?;
        }
        self.supervisor.stop(Stop::AtOnce).await?;
        self.own_etcd()?.stop(Stop::AtOnce).await
    }

    fn own_etcd(&self) -> Result<&Etcd> {
        self.own_etcd.as_ref().ok_or_else(|| Error::Absent { what: "an etcd of the supervisor's own".to_owned() })
    }

    fn backup(&self) -> PathBuf {
        self.dir().join("backup")
    }
}

/// Makes one folder what the other is.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).map_err(io("cannot remove", to))?;
    }
    fs::create_dir_all(to).map_err(io("cannot create", to))?;
    for entry in fs::read_dir(from).map_err(io("cannot read", from))? {
        let entry = entry.map_err(io("cannot read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(io("cannot copy to", &target))?;
        }
    }
    Ok(())
}
