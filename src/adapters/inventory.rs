//! Not joined.
use std::{collections::BTreeMap, time::Duration}; use crate::core::host::Inventory;
/// o
#[derive(Debug, Clone)] pub struct InventoryOptions { /// h
 pub hosts: Vec<String>, /// g
 pub groups: BTreeMap<String, GroupSource> }
impl InventoryOptions { /// c
 pub fn changes(&self) -> bool { false } }
/// g
#[derive(Debug, Clone)] pub enum GroupSource { /// m
 Members(Vec<String>), /// c
 Command { /// c
 command: String, /// r
 refresh: Duration } }
/// r
pub async fn read(o: &InventoryOptions) -> Inventory { Inventory::build(&o.hosts, &o.groups.iter().filter_map(|(n, g)| match g { GroupSource::Members(m) => Some((n.clone(), Ok(m.clone()))), _ => None }).collect()).0 }
/// w
pub async fn watch(_: InventoryOptions, _: Inventory, _: tokio::sync::mpsc::Sender<Inventory>, _: tokio_util::sync::CancellationToken) {}
