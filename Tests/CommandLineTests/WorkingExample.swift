import FileFormats
import System
import Testing
import TestSupport

/// A small classification task in a folder, that tests break in one place each.
///
/// The model is the quickstart's; texts are a few words.
struct WorkingExample {
  let folder: String
  var configuration: [String: JSON]
  var train: [(String, String)]
  /// The names of the columns; nil: the table has no header.
  var columns: (String, String)? = ("text", "label")

  init(in folder: String) {
    self.folder = folder
    let model = JSON.string(repository + "/configs/quickstart/model")
    configuration = [
      "base_model_name_or_path": model,
      "template": .object([.init("end_of_text", .bool(false))]),
      "opt_projection_epsilon": .number(2), "opt_projection_format_epsilon": .number(2),
      "data": .object([
        .init("train", .string("train.tsv")), .init("validation", .string("train.tsv")),
        .init("test", .string("train.tsv")),
        .init("context_examples", .integer(4)),
      ]),
      "training": .object([
        .init("learning_rate", .number(0.01)), .init("max_steps", .integer(6)), .init("batch_size", .integer(3)),
        .init("eval_steps", .integer(4)), .init("save_steps", .integer(2)),
      ]),
      "output_dir": .string("run"),
    ]
    train = (0..<16).map {
      $0 % 2 == 0 ? ("my parcel number \($0) is late", "delivery") : ("refund me \($0) please", "billing")
    }
  }

  /// Sets a key of a section.
  mutating func set(_ section: String, _ key: String, _ value: JSON) {
    let members = (configuration[section]?.object ?? []).filter { $0.key != key }
    configuration[section] = .object(members + [.init(key, value)])
  }

  /// Writes `config.json` and `train.tsv`.
  func write() throws {
    let members = configuration.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value) }
    try writeAtomically(JSON.object(members).pretty, to: folder + "/config.json")
    let lines = ((columns.map { [$0] } ?? []) + train).map { "\($0.0)\t\($0.1)" }
    try writeAtomically(lines.joined(separator: "\n") + "\n", to: folder + "/train.tsv")
  }

  /// Runs `cpt train` on it.
  func trainRun(_ flags: [String] = []) throws -> Program.Outcome {
    try Program.run(["train", "--config", "config.json"] + flags, in: folder)
  }
}

/// Trains the working example and hands over its folder.
func withCheckpoint(_ body: (String) throws -> Void) throws {
  try withTemporaryFolder { folder in
    let example = WorkingExample(in: folder)
    try example.write()
    #expect(try example.trainRun().status == 0)
    try body(folder)
  }
}
