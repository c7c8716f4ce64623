import Diagnostics
import FileFormats
import Method
import System

/// The file of a classifier head, beside its adapter: tensors, and how it was fitted as metadata.
extension ClassifierHead {
  static let file = "head.safetensors"

  /// Reads the head beside an adapter; nil if there is none.
  ///
  /// - Throws: `InputError.badData` for a malformed file.
  init?(adapterFolder: String) throws {
    let path = adapterFolder + "/" + Self.file
    guard fileExists(path) else { return nil }
    let file = try SafetensorsFile(path: path)
    func text(_ key: String) throws -> String {
      guard let text = file.metadata[key] else {
        throw InputError.badData(path, "\"__metadata__\" lacks \"\(key)\"; expected the head of a run of cpt train")
      }
      return text
    }
    func value<Value>(_ key: String, _ expected: String, _ read: (String) -> Value?) throws -> Value {
      let text = try text(key)
      guard let value = read(text) else {
        throw InputError.badData(path, "\"__metadata__\": \"\(key)\" must be \(expected), found \(quoted(text))")
      }
      return value
    }
    func positive(_ text: String) -> Double? { Double(text).flatMap { $0 > 0 && $0.isFinite ? $0 : nil } }
    let labels: [String] = try value("labels", "a list of at least two different strings") { text in
      guard let list = (try? JSON(parsing: Array(text.utf8), file: path))?.array else { return nil }
      let labels = list.compactMap(\.string)
      let areDifferent = Set(labels.map(ExactText.init)).count == labels.count
      return labels.count == list.count && labels.count > 1 && areDifferent ? labels : nil
    }
    let kind: Kind = try value("classifier", "\"ridge\" or \"centroid\"", Kind.init)
    guard let tensor = file["weight"], tensor.shape.count == 2 else {
      throw InputError.badData(path, "expected a tensor \"weight\" of shape [\(labels.count), width]")
    }
    let width = tensor.shape[1]
    func floats(_ name: String, _ shape: [Int]) throws -> [Float] {
      let values = try file.floats(name, shape: shape)
      guard values.allSatisfy(\.isFinite) else {
        throw InputError.badData(path, "tensor \"\(name)\" holds numbers that are not finite")
      }
      return values
    }
    self.init(
      labels: labels, weight: try floats("weight", [labels.count, width]), bias: try floats("bias", [labels.count]),
      mean: try floats("mean", [width]), deviation: try floats("deviation", [width]),
      fit: Fit(
        kind: kind, rows: try value("rows", "a positive whole number") { Int($0).flatMap { $0 > 0 ? $0 : nil } },
        strength: kind == .ridge ? try value("strength", "a positive number", positive) : nil,
        temperature: try value("temperature", "a positive number", positive),
        leaveOneOutAccuracy: try value("leave_one_out_accuracy", "a number from 0 to 1") {
          Double($0).flatMap { (0...1).contains($0) ? $0 : nil }
        }))
  }

  /// Its file.
  private var safetensorsFile: [UInt8] {
    var metadata = [
      ("classifier", fit.kind.rawValue), ("labels", JSON.array(labels.map(JSON.string)).compact),
      ("leave_one_out_accuracy", "\(fit.leaveOneOutAccuracy)"), ("rows", "\(fit.rows)"),
      ("temperature", "\(fit.temperature)"),
    ]
    if let strength = fit.strength { metadata.append(("strength", "\(strength)")) }
    return safetensors(
      [
        FloatTensor(name: "weight", shape: [labels.count, width], values: weight),
        FloatTensor(name: "bias", shape: [labels.count], values: bias),
        FloatTensor(name: "mean", shape: [width], values: mean),
        FloatTensor(name: "deviation", shape: [width], values: deviation),
      ], metadata: metadata)
  }

  /// Writes its file into an existing folder.
  func write(to folder: String) throws { try writeAtomically(safetensorsFile, to: folder + "/" + Self.file) }
}
