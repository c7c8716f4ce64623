// swift-tools-version: 6.2
import PackageDescription

// Outside this repository, the package is named by its address:
// .package(url: "https://…/cpt", from: "0.1.0"), and built with CPT_MARCH= in the environment.
let package = Package(
  name: "classify",
  dependencies: [.package(name: "cpt", path: "../../..")],
  targets: [
    .executableTarget(name: "classify", dependencies: [.product(name: "ContextTuning", package: "cpt")])
  ]
)
