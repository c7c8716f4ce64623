import Diagnostics
import FileFormats
import Method
import Runs

/// What to compare: methods over seeds, under every combination of models, tasks, templates and numbers of shots.
///
/// Every value of an axis is a part of a configuration. A cell's configuration is the base with those of its model, task,
/// template and method put over it, in this order.
package struct Study: Sendable {
  /// A value of an axis: its name, and the part of a configuration that it sets.
  package struct Variant: Sendable, Equatable {
    package let name: String
    package let settings: JSON

    package init(name: String, settings: JSON = .object([])) {
      self.name = name
      self.settings = settings
    }
  }

  /// A setting of the command line, for all methods or for one.
  package struct Override: Sendable {
    package let method: String?
    package let path: String
    package let value: JSON

    package init(method: String?, path: String, value: JSON) {
      self.method = method
      self.path = path
      self.value = value
    }
  }

  /// The file it was read from; paths are relative to it.
  package private(set) var file = ""
  package private(set) var overrides: [Override] = []
  var outputDirectory: String?
  var base = JSON.object([])
  var models: [Variant] = []
  var tasks: [Variant] = []
  var templates: [Variant] = []
  var shots: [Int] = []
  package var methods: [Variant] = []
  package var seeds: [Int] = []
}

extension Study: ConfigurationSection {
  package static let fields: [Field<Study>] = [
    Field("output_dir", \.outputDirectory, .null(or: .text), "folder for the cells and their results"),
    Field("base", \.base, .settings, "keys of a configuration that all cells share"),
    Field("models", \.models, .variants, "name of each model, and its keys of a configuration"),
    Field("tasks", \.tasks, .variants, "name of each task, and its keys: the data, and how it becomes text"),
    Field("templates", \.templates, .variants, "name of each template, and its keys; they replace those of tasks"),
    Field(
      "shots", \.shots, .list("a list of whole numbers", of: .integer(from: 1)),
      "numbers of labelled rows of each label; sets data.train_examples_per_label, and limits data.context_examples_per_label"
    ),
    Field(
      "methods", \.methods, .methods,
      "name of each method, and its keys; a list as a value is a choice, made on validation rows"),
    Field("seeds", \.seeds, .list("a list of whole numbers", of: .integer(from: 0)), "the seeds"),
  ]
}

extension FieldType where Value == JSON {
  /// Objects with keys of a configuration.
  fileprivate static var settings: FieldType {
    FieldType(
      expected: "an object with keys of a configuration", read: { $0.object == nil ? nil : $0 }, write: { $0 })
  }
}

extension FieldType where Value == [Study.Variant] {
  private static let words =
    "an object from different names (at most 60 letters, digits, \"-\", \".\", \"_\") to objects with keys of a configuration"

  /// Names that can be part of a folder's name.
  private static func isName(_ text: String) -> Bool {
    (1...60).contains(text.utf8.count) && text != "." && text != ".."
      && text.unicodeScalars.allSatisfy {
        $0.isASCII
          && ($0.properties.isAlphabetic || $0.properties.numericType != nil || "-._".unicodeScalars.contains($0))
      }
  }

  private static func named(_ json: JSON, _ key: String, _ origin: FieldOrigin) throws -> [Study.Variant]? {
    guard let members = json.object, members.allSatisfy({ $0.value.object != nil }),
      Set(members.map(\.key)).count == members.count
    else { return nil }
    if let wrong = members.first(where: { !isName($0.key) }) {
      throw origin.error(
        key,
        "has the name \"\(wrong.key)\"; names become those of folders: at most 60 letters, digits, \"-\", \".\" and \"_\""
      )
    }
    return members.map { Study.Variant(name: $0.key, settings: $0.value) }
  }

  private static func written(_ variants: [Study.Variant]) -> JSON {
    .object(variants.map { .init($0.name, $0.settings) })
  }

  fileprivate static var variants: FieldType {
    FieldType(
      expected: words, reading: named, write: written)
  }

  fileprivate static var methods: FieldType {
    FieldType(
      expected: "a list of methods, or " + words,
      reading: { json, key, origin in
        guard let list = json.array else { return try named(json, key, origin) }
        let names = list.compactMap(\.string)
        guard names.count == list.count, names.allSatisfy({ TuningMethod(rawValue: $0) != nil }),
          Set(names).count == names.count
        else { return nil }
        return names.map { Study.Variant(name: $0) }
      }, write: written)
  }
}

extension Study {
  /// Reads a study file.
  ///
  /// - Throws: `InputError.badData` naming the file and the key.
  package init(file: String, overrides: [Override]) throws {
    let text = try Configuration.text(of: file)
    let origin = FieldOrigin(file)
    try self.read(JSON(parsing: text, file: file, allowing: .comments), origin)
    self.file = file
    self.overrides = overrides
    if methods.isEmpty { throw origin.error("methods", "is missing or empty; expected the methods to compare") }
    if seeds.isEmpty { throw origin.error("seeds", "is missing or empty; expected a list such as [0, 1, 2]") }
    for (key, isRepeated) in [
      ("seeds", Set(seeds).count < seeds.count), ("shots", Set(shots).count < shots.count),
    ] where isRepeated {
      throw origin.error(key, "holds a number twice")
    }
    for method in methods
    where method.settings["training"]?["method"] == nil && TuningMethod(rawValue: method.name) == nil {
      throw origin.error(
        "methods.\(method.name)",
        "is not the name of a method and sets no \"training.method\"; expected one of "
          + TuningMethod.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))
    }
    try checkSettings(origin)
    let axes = [models.count, tasks.count, templates.count, shots.count].map { max(1, $0) }
    for (key, sizes) in [("methods", axes + [methods.count, seeds.count])]
      + methods.map({ ("methods.\($0.name)", axes + Self.lists(in: $0.settings).map(\.values.count)) })
    where sizes.reduce(1.0, { $0 * Double($1) }) > Self.mostRuns {
      throw origin.error(key, "gives more than \(Int(Self.mostRuns)) runs with the other axes; make the study smaller")
    }
    if let method = methods.first(where: { Self.lists(in: $0.settings).contains { $0.values.isEmpty } }) {
      throw origin.error("methods.\(method.name)", "has an empty list; expected values to choose from")
    }
    let folders = conditions.flatMap { condition in
      methods.map { Comparison.Cell.folder(condition, $0.name, seed: 0) }
    }
    var seen: Set<String> = []
    if let twice = folders.first(where: { !seen.insert($0).inserted }) {
      throw origin.error("methods", "and the names of the other axes give the folder \"\(twice)\" twice; rename one")
    }
  }

  /// Rejects settings that would not count: those that the study itself makes, and sections that are no objects.
  private func checkSettings(_ origin: FieldOrigin) throws {
    let sections = Set(Configuration.sections)
    func path(_ members: [JSON.Member]) -> [String] {
      members.flatMap { member in
        (member.value.object.map { $0.map { member.key + "." + $0.key } } ?? [member.key])
      }
    }
    let parts =
      [("base", base)] + models.map { ("models.\($0.name)", $0.settings) }
      + tasks.map { ("tasks.\($0.name)", $0.settings) }
      + templates.map { ("templates.\($0.name)", $0.settings) } + methods.map { ("methods.\($0.name)", $0.settings) }
    var own = ["training.seed": "seeds", "output_dir": "output_dir"]
    if !shots.isEmpty { own["data.train_examples_per_label"] = "shots" }
    for (name, settings) in parts {
      let members = settings.object ?? []
      if let member = members.first(where: { sections.contains($0.key) && $0.value.object == nil }) {
        throw origin.error("\(name).\(member.key)", "must be an object, found \(member.value.shortDescription)")
      }
      if let path = path(members).first(where: { own[$0] != nil }), let key = own[path] {
        throw origin.error("\(name).\(path)", "is set by the study's \"\(key)\"; remove it")
      }
    }
    if let override = overrides.first(where: { own[$0.path] != nil }), let key = own[override.path] {
      throw InputError.usage("--set", "\"\(override.path)\" is set by the study's \"\(key)\"; change it there")
    }
    for method in methods {
      let lists = Self.lists(in: method.settings).map(\.path)
      if let path = lists.first(where: { path in Self.fixed.contains { path.hasPrefix($0) } }) {
        throw origin.error(
          "methods.\(method.name).\(path)", "cannot be chosen on validation rows: it determines what is measured")
      }
    }
  }

  /// Keys that determine the measured rows, or what a cell is.
  private static let fixed = [
    "data.test", "data.max_test", "data.validation", "data.max_validation", "training.method",
  ]

  /// Most runs of a study: more are a slip, and would fill the memory before the first one.
  private static let mostRuns = 100_000.0

  /// A comparison of methods with one configuration.
  ///
  /// - Throws: `InputError` for a mistake in the configuration.
  package init(configuration file: String, methods: [TuningMethod], seeds: Int, overrides: [Override]) throws {
    self.init()
    self.file = file
    self.overrides = overrides
    base = try Configuration.json(Configuration.text(of: file), file: file)
    self.methods = methods.map { Variant(name: $0.rawValue) }
    let first = try configuration(Condition(), self.methods[0], seed: nil)
    self.seeds = (0..<seeds).map { first.training.seed + $0 }
    outputDirectory = first.outputDirectory.map { $0 + "-compare" }
  }

  /// Every combination of the axes other than methods and seeds.
  package var conditions: [Condition] {
    func values<Value>(_ axis: [Value]) -> [Value?] { axis.isEmpty ? [nil] : axis }
    return values(models).flatMap { model in
      values(tasks).flatMap { task in
        values(templates).flatMap { template in
          values(shots).map { shots in
            Condition(model: model?.name, task: task?.name, template: template?.name, shots: shots)
          }
        }
      }
    }
  }

  /// The choices that a method leaves to validation rows: every combination of the values in its lists, each as keys with
  /// values; one combination without keys if it has no lists.
  package func choices(of method: Variant) -> [[(path: String, value: JSON)]] {
    var combinations: [[(path: String, value: JSON)]] = [[]]
    for (path, values) in Self.lists(in: method.settings) {
      combinations = combinations.flatMap { combination in values.map { combination + [(path, $0)] } }
    }
    return combinations
  }

  /// Whether any method leaves a choice to validation rows.
  var hasChoices: Bool { methods.contains { choices(of: $0).count > 1 } }

  /// The keys whose value is a list, although the configuration takes none.
  private static func lists(in settings: JSON) -> [(path: String, values: [JSON])] {
    let keys = settings.object ?? []
    return keys.flatMap { member -> [(path: String, values: [JSON])] in
      if let values = member.value.array { return Configuration.takesList(member.key) ? [] : [(member.key, values)] }
      return (member.value.object ?? []).compactMap { inner in
        inner.value.array.map { ("\(member.key).\(inner.key)", $0) }
      }
    }
  }

  /// The configuration of a cell, with one combination of its method's choices.
  ///
  /// - Parameters:
  ///   - condition: one of the study's.
  ///   - method: one of the study's.
  ///   - seed: the seed; nil: that of the configuration.
  ///   - choice: values for the keys of the method's lists.
  /// - Returns: the configuration, its values checked.
  /// - Throws: `InputError` naming the file and the key.
  package func configuration(
    _ condition: Condition, _ method: Variant, seed: Int?, choice: [(path: String, value: JSON)] = []
  ) throws -> Configuration {
    func settings(_ axis: [Variant], _ name: String?) -> JSON {
      axis.first { $0.name == name }?.settings ?? .object([])
    }
    var json = base
    for part in [
      settings(models, condition.model), settings(tasks, condition.task), settings(templates, condition.template),
      method.settings,
    ] + choice.map(JSON.settings) {
      json = json.replacingSettings(by: part)
    }
    if method.settings["training"]?["method"] == nil {
      json = json.replacingSettings(by: .settings((path: "training.method", value: .string(method.name))))
    }
    var configuration = try Configuration(
      json: json, file: file,
      overrides: overrides.filter { $0.method == nil || $0.method == method.name }.map { ($0.path, $0.value) })
    if let seed { configuration.training.seed = seed }
    if let shots = condition.shots {
      configuration.data.trainExamplesPerLabel = shots
      configuration.data.contextExamplesPerLabel = configuration.data.contextExamplesPerLabel.map { min($0, shots) }
    }
    return configuration
  }
}

extension JSON {
  /// A configuration's object with one key: "training.seed".
  fileprivate static func settings(_ setting: (path: String, value: JSON)) -> JSON {
    setting.path.split(separator: ".").reversed().reduce(setting.value) { .object([Member(String($1), $0)]) }
  }
}
