//! Compiles the agent protocol without protoc.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protos = ["agent.proto", "files.proto"].map(|name| format!("a3s/box/agent/v1/{name}"));
    for proto in &protos {
        println!("cargo:rerun-if-changed=proto/{proto}");
    }
    let descriptors = protox::compile(&protos, ["proto"])?;
    tonic_prost_build::configure().build_client(false).build_transport(false).bytes(".").compile_fds(descriptors)?;
    Ok(())
}
