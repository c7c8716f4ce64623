import Collectives
import Diagnostics
import FileFormats
import Glibc
import Kernels
import LanguageModel
import Runs
import System
import Tokenization

/// A parsed command line: its flags with their values, and its operands.
struct Arguments {
  private var values: [String: [String]] = [:]
  /// The flags of the command.
  private let flags: [Flag]
  /// The words that are not flags.
  private(set) var operands: [String] = []
  /// The processes that were started together.
  let world: any Communicator

  /// Parses the words after a command's name: `--flag value`, `--flag=value`, `--switch`, `word`. Reads no file.
  ///
  /// - Throws: `InputError.usage` for an unknown or repeated flag, a missing or superfluous value, a word that is not one
  ///   of a flag's choices, a missing flag, too many or too few words.
  init(_ words: [String], of command: Command, in world: any Communicator = SoleRank.only) throws {
    self.world = world
    flags = command.flags
    var rest = words[...]
    func wrong(_ place: String, _ problem: String) -> InputError {
      .usage(place, problem + "; see cpt \(command.name) --help")
    }
    while let word = rest.popFirst() {
      guard word.hasPrefix("-"), word != "-" else {
        guard let expected = command.operands else {
          let flag = command.flags.first { $0.isRequired && values[$0.name] == nil }
          throw wrong(
            "\"\(word)\"",
            "\(command.name) takes only flags" + (flag.map { "; did you mean \($0.name) \(word)?" } ?? ""))
        }
        try expected.value.check(word, of: "\"\(word)\"")
        operands.append(word)
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let name = parts[0] == "-h" ? "--help" : parts[0]
      guard let flag = command.flags.first(where: { $0.name == name }) else {
        let nearby = nearest(to: name, among: command.flags.map(\.name)).map { "; did you mean \($0)?" } ?? ""
        throw wrong(name, "is not a flag of \(command.name)" + nearby)
      }
      if !flag.isRepeatable, values[name] != nil { throw wrong(name, "appears twice") }
      guard let expected = flag.value else {
        guard parts.count == 1 else { throw wrong(name, "takes no value, found \"\(parts[1])\"") }
        values[name] = []
        continue
      }
      guard let value = parts.count == 2 ? parts[1] : rest.popFirst(), !value.isEmpty,
        parts.count == 2 || !value.hasPrefix("--")
      else { throw wrong(name, "needs a value \(expected.name)") }
      try expected.check(value, of: name)
      values[name, default: []].append(value)
    }
    if has("--help") { return }
    for flag in command.flags where flag.isRequired && values[flag.name] == nil {
      throw wrong(flag.name, "is missing; expected \(flag.usage)")
    }
    if let expected = command.operands, !expected.count.contains(operands.count) {
      let problem = operands.count < expected.count.lowerBound ? "is missing" : "appears too often"
      throw wrong(expected.value.name, "\(problem); expected \(expected.help)")
    }
  }

  /// The values of a flag; nil if it is not given.
  ///
  /// - Precondition: the command has the flag.
  private func given(_ name: String) -> [String]? {
    precondition(flags.contains { $0.name == name }, "the command has no flag \(name)")
    return values[name]
  }

  /// Whether a flag is given.
  func has(_ name: String) -> Bool { given(name) != nil }

  /// Throws if both flags are given.
  func refuse(_ name: String, with other: String) throws {
    if has(name), has(other) { throw InputError.usage(name, "conflicts with \(other); use one of them") }
  }

  /// The value of a flag that may appear once.
  subscript(name: String) -> String? { given(name)?.first }

  /// The value of a required flag, which the parser has checked.
  func required(_ name: String) -> String {
    guard let value = self[name] else { preconditionFailure("\(name) is not a required flag") }
    return value
  }

  /// A whole number of at least `lowest`.
  func integer(_ name: String, from lowest: Int) throws -> Int? {
    guard let text = self[name] else { return nil }
    guard let value = Int(text), (lowest...Int(Int32.max)).contains(value) else {
      throw InputError.usage(
        name,
        "must be a whole number of at least \(lowest)\(Int(text).map { $0 > lowest } == true ? " and at most \(Int32.max)" : ""), "
          + "found \"\(text)\"")
    }
    return value
  }

  /// The values of a repeatable flag.
  func all(_ name: String) -> [String] { given(name) ?? [] }

  /// A number in a range; `expected` describes the range: "a number of at least 0".
  func number(_ name: String, _ expected: String, where isExpected: (Double) -> Bool) throws -> Double? {
    guard let text = self[name] else { return nil }
    guard let value = Double(text), value.isFinite, isExpected(value) else {
      throw InputError.usage(name, "must be \(expected), found \"\(text)\"")
    }
    return value
  }

  /// A share from 0 to 1.
  func share(_ name: String) throws -> Double? {
    try number(name, "a share from 0 to 1") { (0...1).contains($0) }
  }

  /// One of the flag's choices, which the parser has checked.
  func choice<Word: RawRepresentable<String> & CaseIterable>(_ name: String, default fallback: Word) -> Word {
    guard let word = self[name] else { return fallback }
    guard let choice = Word(rawValue: word) else { preconditionFailure("\(name) was checked to be one of its choices") }
    return choice
  }

  /// How the processes share the work, with the model cut over those of `--tensor-parallel`.
  func ranks() throws -> Ranks { try Ranks(world, tensorParallel: integer("--tensor-parallel", from: 1) ?? 1) }

  /// The threads to compute with: as many as `--threads` says, else as an earlier part of the run used, else as there are
  /// cores for this process, or for each of the processes on the machine.
  ///
  /// - Throws: `InputError.usage` when the addresses that the process may use do not suffice for them.
  func team(earlier: Int? = nil, profile: Profile? = nil) throws -> ThreadTeam {
    let asked = try integer("--threads", from: 1)
    // All ranks ask each other, whatever each has found in its folder.
    let own = world.size > 1 ? world.threadsOfRank : nil
    let team = try ThreadTeam(forProcess: asked ?? earlier ?? own, askedBy: "--threads", profile: profile)
    let threads = team.threads
    if world.size > 1, asked ?? earlier == nil, let online = Cores.limits.first?.value, Cores.available < online,
      threads == Cores.available
    {
      note(
        "each rank has \(threads == 1 ? "one thread" : "\(threads) threads"): its launcher bound it to "
          + "\(counted(Cores.available, "core")) of \(online); with mpirun of Open MPI, --bind-to none leaves all to the ranks"
      )
    }
    if let asked, let earlier, asked != earlier {
      note("--threads: the run used \(earlier) so far; with \(asked) its numbers round differently from here on")
    }
    if team.started < threads {
      note("the system started \(team.started) of \(threads) threads (ulimit -u); the results are the same, but slower")
    }
    return team
  }

  /// What `--resume` and `--overwrite` ask for.
  var earlierRun: EarlierRun { has("--resume") ? .resume : has("--overwrite") ? .overwrite : .refuse }

  /// The output path of a flag, checked for use; `replacing` is a flag whose file may be replaced once it has been read.
  func destination(_ name: String, isFolder: Bool, replacing: String? = nil) throws -> String? {
    guard let path = self[name] else { return nil }
    guard path == standardStream else { return try free(path, name, isFolder: isFolder, replacing: replacing) }
    if isFolder { throw InputError.usage(name, "expected a folder, found \"-\"") }
    return path
  }

  /// The folder of `--output`.
  func outputFolder() throws -> String? {
    if self["--output"] == standardStream { throw InputError.usage("--output", "expected a folder, found \"-\"") }
    return self["--output"]
  }

  /// A path to write to: unused, a device, or to be overwritten.
  ///
  /// - Throws: `InputError.usage` if the path exists or its folder does not; the remedy names the flag.
  func free(_ path: String, _ name: String, isFolder: Bool = false, replacing: String? = nil) throws -> String {
    if isFolder != isDirectory(path), fileExists(path) {
      throw InputError.usage(
        path, "is a \(isFolder ? "file, expected a folder" : "folder, expected a file") for \(name)")
    }
    if !isFolder, !isDirectory(folder(of: path)) {
      throw InputError.usage(name, "the folder \(folder(of: path)) does not exist; create it first")
    }
    if !isFolder { try refuseInput(path, name, but: replacing) }
    let isFree = isFolder ? names(inDirectory: path).isEmpty : !fileExists(path) || path.hasPrefix("/dev/")
    guard isFree || has("--overwrite") else {
      throw InputError.usage(path, "already exists; use --overwrite to replace it, or choose another \(name)")
    }
    return path
  }

  /// Refuses to write over a file that the command reads, or that a model, a run or a configuration consists of.
  private func refuseInput(_ path: String, _ name: String, but replaced: String?) throws {
    guard fileExists(path) else { return }
    let absolute = absolutePath(path)
    let inputs =
      flags.filter { ![name, replaced].contains($0.name) && ["FILE", "DIR", "PATH"].contains($0.value?.name) }
      .flatMap { values[$0.name] ?? [] } + operands
    let neighbours = names(inDirectory: folder(of: absolute))
    let isInFolder = neighbours.contains { $0.hasSuffix(".safetensors") || $0 == RunDirectory.metricsName }
    let isPart =
      isInFolder && Self.partsOfFolders.contains(lastComponent(of: absolute)) || absolute.hasSuffix(".safetensors")
    if isPart || inputs.contains(where: { absolutePath($0) == absolute }) {
      throw InputError.usage(path, "is \(isPart ? "part of a model or a run" : "an input"); choose another \(name)")
    }
  }

  private static let partsOfFolders = [
    "config.json", "adapter_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "vocab.json", "merges.txt", "metrics.jsonl", "trainer_state.json", "comparison.json", "cpt.lock",
  ]

  /// The adapter of `--checkpoint`; a run's folder means its best adapter, else its last.
  ///
  /// - Throws: `InputError` if there is none, or it is not a CPT adapter.
  func adapter() throws -> Adapter {
    let adapter = try Adapter(checkpoint: required("--checkpoint"))
    noteIgnoredKeys(adapter.configuration, of: adapter.configurationPath)
    return adapter
  }

  /// The configuration of `--config`, which is required, with the overrides of `--set`.
  ///
  /// - Throws: `InputError` for its contents.
  func configuration() throws -> Configuration {
    let file = required("--config")
    let configuration = try Configuration(file: file, overrides: overrides())
    noteIgnoredKeys(configuration, of: file)
    if let folder = configuration.initialAdapter {
      let adapter = try Adapter(folder: folder)
      noteIgnoredKeys(adapter.configuration, of: adapter.configurationPath)
    }
    return configuration
  }

  /// The configuration for an adapter: `--config`, or the one that the run wrote beside the adapter.
  ///
  /// - Parameters:
  ///   - adapter: the adapter.
  ///   - need: what the configuration must provide, for the error; nil: the adapter's own configuration suffices.
  /// - Returns: the configuration, its model the one to use.
  /// - Throws: `InputError` when there is none, or for its contents.
  func configuration(of adapter: Adapter, for need: String?) throws -> Configuration {
    var file = self["--config"] ?? adapter.runConfigurationPath
    if file == nil, need == nil { file = adapter.configurationPath }
    guard let file else {
      throw InputError.usage("--config", "is missing: \(adapter.folder) has no config.json, so \(need ?? "")")
    }
    let configuration = try adapter.configuration(file: file, overrides: overrides(), model: self["--model"])
    if file != adapter.configurationPath { noteIgnoredKeys(configuration, of: file) }
    return configuration
  }

  /// The model of an adapter, `--model` or the one it names, and its tokenizer if there is one.
  ///
  /// - Throws: `InputError` if there is no model or it cannot be used.
  func model(of adapter: Adapter) throws -> (model: FrozenModel, tokenizer: Tokenizer?) {
    var configuration = adapter.configuration
    let beside = adapter.folder + "/config.json"
    // The configuration that a run wrote knows where the model was as seen from the run.
    if fileExists(beside), let run = try? Configuration(file: beside), run.baseModel != nil {
      configuration = run.found(from: adapter.folder)
    }
    if let folder = self["--model"] { configuration = configuration.using(model: folder) }
    guard let folder = configuration.baseModel else {
      throw InputError.usage(
        "--model", "is missing, and the adapter names no model; expected the model's folder or GGUF file")
    }
    let tokenizerFolder = configuration.tokenizer ?? folder
    return (
      try FrozenModel(path: folder),
      Tokenizer.exists(at: tokenizerFolder) ? try? Tokenizer(path: tokenizerFolder) : nil
    )
  }

  /// The pairs of `--set`: a value that is valid JSON is parsed, any other is text.
  func overrides() throws -> [(path: String, value: JSON)] {
    try all("--set").map { text in
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw InputError.usage("--set", "expected KEY=VALUE such as training.seed=3, found \"\(text)\"")
      }
      // A shell passes on both characters.
      if parts[1].contains("\\n"), (try? JSON(parsing: Array(parts[1].utf8), file: "--set")) == nil {
        throw InputError.usage(
          "--set",
          "\(parts[0]) has a backslash and an n; write a text with line breaks as JSON, such as "
            + "--set '\(parts[0])=\"{title}\\n{body}\"'")
      }
      // `{}` is the template of the bare text, not an empty object.
      if parts[1] == "{}" { return (parts[0], .string(parts[1])) }
      return (parts[0], (try? JSON(parsing: Array(parts[1].utf8), file: "--set")) ?? .string(parts[1]))
    }
  }
}

/// Says on standard error which keys of an adapter_config.json count for nothing.
private func noteIgnoredKeys(_ configuration: Configuration, of file: String) {
  if configuration.ignoredKeys.isEmpty { return }
  let keys = configuration.ignoredKeys.map { "\"\($0)\"" }.joined(separator: ", ")
  note("\(file): ignores \(keys), unknown to this version and perhaps of a later PEFT")
}

extension Value {
  /// - Throws: `InputError.usage` if the value has choices and this is not one of them.
  fileprivate func check(_ text: String, of place: String) throws {
    guard let choices, !choices.contains(text) else { return }
    throw InputError.usage(place, "unknown value \"\(text)\"" + suggestion(for: text, among: choices))
  }
}
