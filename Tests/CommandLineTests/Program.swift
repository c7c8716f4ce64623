import FileFormats
import Foundation
import System
import TestSupport

/// The built `cpt`, run as a user runs it.
struct Program {
  /// What a run left.
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String

    /// The one line of an error.
    var errorLine: String { errors.split(separator: "\n").last.map(String.init) ?? "" }
    /// Standard output as JSON.
    func json() throws -> JSON { try JSON(parsing: Array(output.utf8), file: "stdout") }
  }

  /// The executable beside the test bundle.
  static let path: String = {
    let bundle =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    return System.folder(of: bundle) + "/cpt"
  }()

  /// Runs it, or another executable, with arguments, in a folder, its standard input these bytes.
  @discardableResult
  static func run(
    _ arguments: [String], in folder: String = repository, input: [UInt8] = [], executable: String = path
  ) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    // Through files: a pipe nobody reads fills up.
    let streams = FileManager.default.temporaryDirectory.appendingPathComponent("cpt-\(UUID().uuidString)")
    let names = ["out", "err", "in"].map { streams.appendingPathComponent($0) }
    try FileManager.default.createDirectory(at: streams, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: streams) }
    for name in names { try Data(name == names[2] ? input : []).write(to: name) }
    process.standardOutput = try FileHandle(forWritingTo: names[0])
    process.standardError = try FileHandle(forWritingTo: names[1])
    process.standardInput = try FileHandle(forReadingFrom: names[2])
    try process.run()
    process.waitUntilExit()
    let texts = try names.prefix(2).map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
    let status = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    return Outcome(status: status, output: texts[0], errors: texts[1])
  }
}

extension Program {
  /// Starts it, its standard output and error files if they are given, sends a signal once `isReady`, returns the exit status.
  static func interrupt(
    _ arguments: [String], in folder: String, with signal: Int32, output: String? = nil, errors: String? = nil,
    when isReady: () -> Bool
  ) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    if let output { try Data().write(to: URL(fileURLWithPath: output)) }
    process.standardOutput =
      try output.map { try FileHandle(forWritingTo: URL(fileURLWithPath: $0)) } ?? FileHandle.nullDevice
    if let errors { try Data().write(to: URL(fileURLWithPath: errors)) }
    process.standardError =
      try errors.map { try FileHandle(forWritingTo: URL(fileURLWithPath: $0)) } ?? FileHandle.nullDevice
    try process.run()
    while process.isRunning, !isReady() { usleep(1000) }
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    return process.terminationStatus
  }
}
