// swift-tools-version: 6.2
import PackageDescription

/// The instruction set the build may use. The package is always built on the machine that runs it, so the
/// default is that machine's own; `CPT_MARCH=` (empty) builds for the baseline of the architecture, and
/// `CPT_MARCH=x86-64-v3` (say) for another. Only the elementwise kernels depend on it: OpenBLAS picks its own at run time.
let instructionSet = Context.environment["CPT_MARCH"] ?? "native"

#if arch(x86_64)
  let architectureFlag = "-march="
#else
  let architectureFlag = "-mcpu="
#endif

let machineSettings: [SwiftSetting] =
  instructionSet.isEmpty ? [] : [.unsafeFlags(["-Xcc", architectureFlag + instructionSet])]

/// Everything but the numerical core, the byte decoders and the call of utf8proc is written without unsafe constructs,
/// and stays so.
let safeSettings: [SwiftSetting] = [.strictMemorySafety()]

let package = Package(
  name: "cpt",
  products: [.executable(name: "cpt", targets: ["cpt"])],
  targets: [
    .systemLibrary(
      name: "COpenBLAS",
      pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]
    ),
    .systemLibrary(
      name: "CUTF8Proc",
      providers: [.apt(["libutf8proc-dev"])]
    ),
    .target(name: "FileFormats"),
    .target(name: "Kernels", dependencies: ["COpenBLAS"], swiftSettings: machineSettings),
    .target(name: "LanguageModel", dependencies: ["Kernels", "FileFormats"], swiftSettings: machineSettings),
    .target(name: "Tokenization", dependencies: ["CUTF8Proc", "FileFormats"], swiftSettings: safeSettings),
    .target(name: "ContextTuning", dependencies: ["LanguageModel", "Tokenization"], swiftSettings: safeSettings),
    .target(name: "Reporting", dependencies: ["ContextTuning"], swiftSettings: safeSettings),
    .executableTarget(
      name: "cpt", dependencies: ["ContextTuning", "Reporting", "CUTF8Proc"], swiftSettings: safeSettings),
    .target(name: "TestSupport", dependencies: ["FileFormats"], path: "Tests/TestSupport"),
    .testTarget(name: "FileFormatsTests", dependencies: ["FileFormats", "TestSupport"]),
    .testTarget(name: "KernelsTests", dependencies: ["Kernels", "TestSupport"]),
    .testTarget(name: "LanguageModelTests", dependencies: ["LanguageModel", "TestSupport"]),
    .testTarget(name: "TokenizationTests", dependencies: ["Tokenization", "TestSupport"]),
    .testTarget(name: "ContextTuningTests", dependencies: ["ContextTuning", "TestSupport"]),
    .testTarget(name: "ReportingTests", dependencies: ["Reporting", "TestSupport"]),
    .testTarget(name: "CommandLineTests", dependencies: ["cpt", "ContextTuning", "TestSupport"]),
  ],
  swiftLanguageModes: [.v6]
)
