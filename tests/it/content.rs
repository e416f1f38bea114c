//! Packs: from files to a catalog and diagnostics.

use halcyon::adapters::content::read_packs;
use halcyon::core::content::load::load;
use std::path::PathBuf;

#[test]
fn the_site_pack_and_core_load_without_a_word() {
    let loaded = load(&read_packs(&[PathBuf::from(".")]));
    let said: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(loaded.catalog.packs.keys().collect::<Vec<_>>(), ["core", "site"]);
}
