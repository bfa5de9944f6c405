//! Writes the good input of every target into `corpus/TARGET/good`, so that libFuzzer need not find it.

#[path = "../tests/it/targets.rs"]
mod targets;

fn main() {
    for target in targets::all() {
        let folder = std::path::Path::new("corpus").join(target.name);
        std::fs::create_dir_all(&folder).expect("the corpus can be written");
        std::fs::write(folder.join("good"), &target.good).expect("the corpus can be written");
    }
}
