import Diagnostics
import FileFormats
import System

/// The files beside a tokenizer that say which class of Hugging Face transformers it has, and name its special tokens.
///
/// Source: transformers 5.24, `tokenization_utils_base.py` and `tokenization_utils_tokenizers.py`.
struct TokenizerSettings {
  var tokenizerClass: TokenizerClass
  /// Whether a file names the class, by itself or by the type of the model.
  let namesClass: Bool
  private let folder: String
  /// The members of tokenizer_config.json and, as far as they count, of special_tokens_map.json, with their files.
  private var members: [(key: String, value: JSON, file: String)] = []
  /// The extra special tokens that have names of their own.
  private var namedExtras: [JSON.Member] = []
  /// The added tokens that the files number.
  private var numbered: [Int: AddedToken] = [:]
  private let paddingToken: String?

  /// Reads the files of a folder; `file` is the contents of its tokenizer.json, if it has one.
  ///
  /// - Throws: `InputError.badData` for what is malformed, and for a class that is not supported.
  init(folder: String, file: JSON? = nil) throws {
    self.folder = folder
    func contents(_ name: String) throws -> (members: [JSON.Member], path: String)? {
      let path = resolve(name, relativeTo: folder)
      guard fileExists(path) else { return nil }
      let json = try JSON.read(file: path, allowing: .nonFinite)
      guard let members = json.object else {
        throw InputError.badData(path, "expected an object, found \(json.shortDescription)")
      }
      return (members, path)
    }
    let settings = try contents("tokenizer_config.json")
    let model = try contents("config.json")?.members ?? []
    let modelType = model.last { $0.key == "model_type" }?.value.string
    let declared = ((settings?.members ?? []) + model).first { $0.key == "tokenizer_class" && !$0.value.isNull }?.value
    namesClass = declared != nil || modelType != nil
    paddingToken = file?["padding"]?["pad_token"]?.string
    do {
      let found = try TokenizerClass(
        declared: declared?.string, modelType: modelType, isByteLevel: file?.hasByteLevel ?? false)
      tokenizerClass = found
    } catch {
      throw InputError.badData(
        settings?.path ?? folder,
        "tokenizer_class is \(error.name), whose tokens are not supported; if tokenizer.json has them as they are, set it "
          + "to PreTrainedTokenizerFast")
    }
    if let model = file?["model"], model.object != nil, let expected = tokenizerClass.modelType,
      let found = try Members(of: model, called: "model", in: folder).modelType, found != expected
    {
      throw mismatch(found: found, expected: expected, declared: declared?.string, modelType: modelType)
    }
    if let (members, path) = settings { for member in members { set(member.key, member.value, path) } }
    if self["extra_special_tokens"].map(\.isEmptyCollection) ?? true,
      let old = members.first(where: { $0.key == "additional_special_tokens" })
    {
      set("extra_special_tokens", old.value, old.file)
    }
    takeNamedExtras()
    if let table = self["added_tokens_decoder"] {
      try readNumbered(table)
    } else {
      if let (members, path) = try contents("special_tokens_map.json") { merge(members, of: path) }
      takeNamedExtras()
      if let (members, path) = try contents("added_tokens.json") { try readNumbered(members, of: path) }
      for entry in file?["added_tokens"]?.array ?? [] {
        if let id = entry["id"]?.integer, let token = AddedToken(entry) { numbered[id] = token }
      }
    }
    if try flag("fix_mistral_regex") ?? false {
      throw error("fix_mistral_regex", "is true, which is not supported; write the pattern into tokenizer.json")
    }
  }

  /// The error for a class that does not take the file's model: it would read the vocabulary as that of another model.
  private func mismatch(found: String, expected: String, declared: String?, modelType: String?) -> InputError {
    let isFixed = TokenizerClass.isFixed(byModel: modelType)
    let cause =
      if let declared, !isFixed { "tokenizer_class \"\(declared)\"" } else { "model_type \"\(modelType ?? "")\"" }
    let remedy =
      isFixed
      ? "keep the tokenizer in a folder without config.json, and name that in tokenizer_name_or_path"
      : "set \"tokenizer_class\": \"PreTrainedTokenizerFast\" in tokenizer_config.json to use the file as it is"
    return .badData(
      resolve("tokenizer.json", relativeTo: folder),
      "model is \(found), but \(cause) in the files beside makes a \(expected) of it, with other tokens; \(remedy)")
  }

  // MARK: - Members

  /// The value of a member; nil if it is absent or null.
  private subscript(key: String) -> JSON? {
    members.first { $0.key == key }.flatMap { $0.value.isNull ? nil : $0.value }
  }

  private mutating func set(_ key: String, _ value: JSON, _ file: String) {
    if let index = members.firstIndex(where: { $0.key == key }) {
      members[index] = (key, value, file)
    } else {
      members.append((key, value, file))
    }
  }

  private func error(_ key: String, _ problem: String) -> InputError {
    .badData(members.first { $0.key == key }?.file ?? folder, "\(key) \(problem)")
  }

  /// A member that is true or false; nil if it is absent or null.
  func flag(_ key: String) throws -> Bool? {
    guard let value = self[key] else { return nil }
    guard let flag = value.bool else { throw error(key, "is \(value.shortDescription); expected true or false") }
    return flag
  }

  /// Reads `{"5": {"content": "<x>", …}, …}`.
  private mutating func readNumbered(_ table: JSON) throws {
    guard let entries = table.object else {
      throw error("added_tokens_decoder", "is \(table.shortDescription); expected an object")
    }
    for entry in entries {
      guard let id = Int(entry.key), let token = AddedToken(entry.value) else {
        throw error(
          "added_tokens_decoder", "has \"\(entry.key)\"; expected an id with a token, {\"content\": \"…\", …}")
      }
      numbered[id] = token
    }
  }

  /// Reads `{"<x>": 5, …}`, the contents of added_tokens.json.
  private mutating func readNumbered(_ tokens: [JSON.Member], of file: String) throws {
    let (named, extra) = try specialTokens()
    let special = Set((named + extra).map { Array($0.content.utf8) })
    for token in tokens {
      guard let id = token.value.integer else {
        throw InputError.badData(
          file, "the id of \"\(token.key)\" is \(token.value.shortDescription); expected a whole number")
      }
      let isSpecial = special.contains(Array(token.key.utf8))
      numbered[id] = AddedToken(content: token.key, isSpecial: isSpecial, isNormalized: !isSpecial)
    }
  }

  /// Takes over the members of special_tokens_map.json.
  private mutating func merge(_ map: [JSON.Member], of file: String) {
    for member in map {
      if member.key == "extra_special_tokens", let new = member.value.array {
        set(member.key, .array((self[member.key]?.array ?? []) + new), file)
      } else {
        set(member.key, member.value, file)
      }
    }
  }

  private mutating func takeNamedExtras() {
    guard let extras = self["extra_special_tokens"]?.object else { return }
    namedExtras += extras
    members.removeAll { $0.key == "extra_special_tokens" }
  }

  // MARK: - Special tokens

  /// The keys of the special tokens that every class has.
  private static let keys = [
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
  ]

  /// The token that a key names; nil if there is none.
  func token(_ key: String) throws -> AddedToken? {
    if let member = members.first(where: { $0.key == key }) {
      if member.value.isNull { return nil }
      guard let token = AddedToken(special: member.value) else {
        throw error(key, "is \(member.value.shortDescription); expected a token")
      }
      let known = numbered.sorted { $0.key < $1.key }.last { $0.value.content.utf8.elementsEqual(token.content.utf8) }
      return known?.value ?? token
    }
    if let text = tokenizerClass.specialTokens[key] {
      return AddedToken(content: text, isSpecial: true, isNormalized: false)
    }
    guard key == "pad_token", tokenizerClass.takesPaddingToken, let paddingToken else { return nil }
    return AddedToken(content: paddingToken, isSpecial: true, isNormalized: false)
  }

  /// The keys of all special tokens that have one, which ends with `_token`.
  private var tokenKeys: [String] {
    let otherKeys =
      tokenizerClass.specialTokens.keys.sorted().filter { key in !members.contains { $0.key == key } }
      + members.filter { $0.key.hasSuffix("_token") && ($0.value.string != nil || $0.value.object != nil) }.map(\.key)
    return Self.keys + otherKeys.filter { !Self.keys.contains($0) }
  }

  /// The special tokens that have a key, by these.
  func namedTokens() throws -> [String: String] {
    let tokens = try tokenKeys.compactMap { key in try token(key).map { (key, $0.content) } }
    return Dictionary(tokens) { first, _ in first }
  }

  /// The special tokens: those with a key, and the extra ones.
  private func specialTokens() throws -> (named: [AddedToken], extra: [AddedToken]) {
    var named = try tokenKeys.compactMap { try token($0) }
    func read(_ values: [JSON], _ token: (JSON) -> AddedToken?) throws -> [AddedToken] {
      try values.map { value in
        if let token = token(value) { return token }
        throw error("extra_special_tokens", "has \(value.shortDescription); expected a token")
      }
    }
    named += try read(namedExtras.map(\.value), AddedToken.init(special:))
    guard let extra = self["extra_special_tokens"] ?? self["additional_special_tokens"] else { return (named, []) }
    guard let values = extra.array else {
      throw error("extra_special_tokens", "is \(extra.shortDescription); expected a list of tokens")
    }
    // One with flags is not special unless it says so.
    return (named, try read(values) { $0.string == nil ? AddedToken($0) : AddedToken(special: $0) })
  }

  /// Adds the tokens of these files as transformers adds them once the class has its own.
  func addTokens(to numbering: inout AddedTokenNumbering) throws {
    let (named, extra) = try specialTokens()
    let namedContents = Set(named.map { Array($0.content.utf8) })
    var tokens = numbered.sorted { $0.key < $1.key }.map(\.value)
    let known = Set((numbering.tokens.values + tokens).map { Array($0.content.utf8) })
    for token in named + extra where !known.contains(Array(token.content.utf8)) && !tokens.contains(token) {
      tokens.append(token)
    }
    for index in tokens.indices where namedContents.contains(Array(tokens[index].content.utf8)) {
      tokens[index].isSpecial = true
    }
    numbering.add(tokens)
    var again = named + extra
    for index in again.indices { again[index].isSpecial = true }
    switch tokenizerClass {
    case .qwen2: numbering.add(again.map { AddedToken(content: $0.content, isSpecial: true, isNormalized: false) })
    case .cohere: numbering.add(again)
    default: break
    }
  }
}

extension AddedToken {
  /// An object `{"content": "…", …}`; flags that it lacks are false, but a token that is not special is normalized.
  init?(_ json: JSON) {
    guard let content = json["content"]?.string else { return nil }
    func flag(_ key: String) -> Bool? { json[key]?.bool }
    let isSpecial = flag("special") ?? false
    self.init(
      content: content, isSpecial: isSpecial, isSingleWord: flag("single_word") ?? false,
      takesWhitespaceBefore: flag("lstrip") ?? false, takesWhitespaceAfter: flag("rstrip") ?? false,
      isNormalized: flag("normalized") ?? !isSpecial)
  }

  /// A special token, as text or as an object.
  init?(special json: JSON) {
    if let content = json.string {
      self.init(content: content, isSpecial: true, isNormalized: false)
    } else {
      self.init(json)
      isSpecial = true
      if json["normalized"] == nil { isNormalized = false }
    }
  }
}

extension JSON {
  fileprivate var isEmptyCollection: Bool { array?.isEmpty ?? object?.isEmpty ?? isNull }

  /// Whether the pre-tokenizer, the decoder or the post-processor of a tokenizer.json has a part of type `ByteLevel`.
  fileprivate var hasByteLevel: Bool {
    func isThere(in value: JSON?) -> Bool {
      value?["type"]?.string == "ByteLevel"
        || (value?.object ?? []).contains { ($0.value.array ?? []).contains(where: isThere) }
    }
    return ["pre_tokenizer", "decoder", "post_processor"].contains { isThere(in: self[$0]) }
  }
}
