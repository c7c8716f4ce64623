import FileFormats

/// The conditions under which a study compares methods: a value of each of its axes; nil for an axis that it lacks.
package struct Condition: Sendable, Hashable {
  package fileprivate(set) var model: String?
  package fileprivate(set) var task: String?
  package fileprivate(set) var template: String?
  /// Labelled rows of each label to learn from.
  package fileprivate(set) var shots: Int?

  package init(model: String? = nil, task: String? = nil, template: String? = nil, shots: Int? = nil) {
    self.model = model
    self.task = task
    self.template = template
    self.shots = shots
  }

  /// The same without the model: its name among the conditions of a model.
  package var withoutModel: Condition { Condition(task: task, template: template, shots: shots) }

  /// The same without the number of shots: what is equal along a curve over shots.
  package var withoutShots: Condition { Condition(model: model, task: task, template: template) }

  /// The names of its values, for the names of folders.
  var names: [String] { [model, task, template, shots.map { "\($0)-shots" }].compactMap { $0 } }

  /// The condition in words; empty without axes.
  package var description: String {
    [model, task, template, shots.map { "\($0) per label" }].compactMap { $0 }.joined(separator: ", ")
  }
}

extension Sequence<Condition> {
  /// The conditions in groups that have a value in common, in the order of their first ones.
  package func grouped<Part: Hashable>(by part: (Condition) -> Part) -> [(part: Part, conditions: [Condition])] {
    var groups: [(part: Part, conditions: [Condition])] = []
    for condition in self {
      let own = part(condition)
      if let index = groups.firstIndex(where: { $0.part == own }) {
        groups[index].conditions.append(condition)
      } else {
        groups.append((own, [condition]))
      }
    }
    return groups
  }
}

extension Condition: Record {
  package init() { self.init(model: nil) }

  package static let fields: [Field<Condition>] = [
    .optional("model", \.model, .text, "the model, by its name in the study"),
    .optional("task", \.task, .text, "the task, by its name in the study"),
    .optional("template", \.template, .text, "the template, by its name in the study"),
    .optional("shots", \.shots, .integer(from: 1), "labelled rows of each label to learn from"),
  ]
}
