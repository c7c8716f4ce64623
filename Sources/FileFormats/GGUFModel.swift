import Diagnostics
import System

/// The GGUF file of a model, or the files of one that llama.cpp's gguf-split cut: their metadata and all tensors.
package struct GGUFModel: Sendable {
  /// The first file.
  package let path: String
  /// Of the first file.
  package let metadata: GGUFMetadata
  /// Of all files.
  package let tensors: [StoredTensor]
  /// By the bytes of the name: names may be canonically equal.
  private let tensorsByName: [[UInt8]: StoredTensor]

  /// Opens a file and, if it is one of several, the others beside it.
  ///
  /// - Throws: `InputError.missing` for a missing file, `InputError.badData` for a malformed one.
  package init(path: String) throws {
    let given = try GGUFFile(path: path)
    let count = try given.metadata.integer("split.count") ?? 1
    // A merged file says 0.
    guard count != 0, count != 1 else {
      self.init(path: path, metadata: given.metadata, tensors: given.tensors)
      return
    }
    guard (2...99_999).contains(count) else { throw given.metadata.invalid("split.count", "from 0 to 99999") }
    guard let stem = Self.stem(of: path, count: count) else {
      throw InputError.badData(
        path,
        "is one of \(count) files by its metadata, but is not called NAME-00001-of-\(Self.fiveDigits(count)).gguf; "
          + "give the files their names back")
    }
    let paths = (1...count).map { Self.name(stem, $0, count) }
    if let missing = paths.first(where: { !fileExists($0) }) {
      throw InputError.missing(missing, "not found; the model is split into \(count) files: download this one too")
    }
    let files = try paths.map { try GGUFFile(path: $0) }
    for (index, file) in files.enumerated()
    where try file.metadata.integer("split.no") != index || file.metadata.integer("split.count") != count {
      throw file.metadata.invalid("split.no", "\(index) with \"split.count\" \(count), as the name of the file says")
    }
    let metadata = files[0].metadata, tensors = files.flatMap(\.tensors)
    if let total = try metadata.integer("split.tensors.count"), total != tensors.count {
      throw metadata.invalid("split.tensors.count", "\(tensors.count), as the files have; download them again")
    }
    var names: Set<[UInt8]> = []
    if let twice = tensors.first(where: { !names.insert(Array($0.name.utf8)).inserted }) {
      throw InputError.badData(twice.file.path, "tensor \"\(twice.name)\" is in another file of the model too")
    }
    self.init(path: paths[0], metadata: metadata, tensors: tensors)
  }

  private init(path: String, metadata: GGUFMetadata, tensors: [StoredTensor]) {
    self.path = path
    self.metadata = metadata
    self.tensors = tensors
    tensorsByName = Dictionary(tensors.map { (Array($0.name.utf8), $0) }) { first, _ in first }
  }

  /// The tensor with this name, if there is one.
  package subscript(tensor tensor: String) -> StoredTensor? { tensorsByName[Array(tensor.utf8)] }

  /// The GGUF file that a path means: the file itself, or the only model of a folder without safetensors; nil: the path
  /// is a Hugging Face folder, or nothing.
  ///
  /// - Throws: `InputError.missing` for a folder with several models.
  package static func file(of path: String) throws -> String? {
    guard isDirectory(path) else { return fileExists(path) ? path : nil }
    let all = names(inDirectory: path)
    guard !all.contains(where: { $0.hasSuffix(".safetensors") || $0.hasSuffix(".safetensors.index.json") }) else {
      return nil
    }
    // Of a split model the first file counts; a vision projector ("mmproj") is no model of its own.
    let models = all.filter { name in
      name.hasSuffix(".gguf") && !name.hasPrefix("mmproj") && (number(of: name).map { $0 == 1 } ?? true)
    }.sorted()
    guard models.count <= 1 else {
      throw InputError.missing(
        path, "has \(models.count) GGUF files: \(models.joined(separator: ", ")); name one of them")
    }
    return models.first.map { path + "/" + $0 }
  }

  /// "m-00002-of-00003.gguf" → 2; nil for the name of a whole model.
  private static func number(of name: String) -> Int? {
    let parts = name.dropLast(".gguf".count).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 4, parts[parts.count - 2] == "of", parts[parts.count - 1].count == 5 else { return nil }
    return Int(parts[parts.count - 3])
  }

  /// The name without "-0000N-of-0000M.gguf"; nil for another name.
  private static func stem(of path: String, count: Int) -> String? {
    let ending = "-of-\(fiveDigits(count)).gguf"
    guard path.hasSuffix(ending) else { return nil }
    let rest = path.dropLast(ending.count)
    let digits = rest.suffix(6)
    guard digits.first == "-", digits.count == 6, digits.dropFirst().allSatisfy(\.isNumber) else { return nil }
    return String(rest.dropLast(6))
  }

  private static func name(_ stem: String, _ number: Int, _ count: Int) -> String {
    "\(stem)-\(fiveDigits(number))-of-\(fiveDigits(count)).gguf"
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}
