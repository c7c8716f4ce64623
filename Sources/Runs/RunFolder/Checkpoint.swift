import Diagnostics
import FileFormats
import Method
import System

/// The state of a run between two steps: all that a bit-exact resume needs.
///
/// Stored beside the adapter as `cpt_state.safetensors` (e0, delta, moments) and `trainer_state.json` (step and best so
/// far). The order of data and every other draw follow from seed and step, so no generator state is stored.
package struct Checkpoint {
  package static let tensorsFile = "cpt_state.safetensors"
  /// The files of a checkpoint; the first is written last.
  static let files = [
    TrainerState.file, Adapter.configurationFile, Adapter.weightsFile, ClassifierHead.file, tensorsFile,
    RunDirectory.configurationName,
  ]

  package var step = 0
  package var bestStep: Int?
  package var bestMetric: Double?
  package var bestLoss: Double?
  package var prompt: TunedPrompt
  package var optimizer: Optimizer
  package var computation: Computation
  /// The classifier of the method `head`, once it is fitted.
  package var head: ClassifierHead?
  /// nil if the run does not stop early.
  package var earlyStopping: EarlyStopping?
  /// Training and validation rows, for readers of the file.
  package let rows: (training: Int, validation: Int)

  /// The state before the first step.
  package init(
    prompt: TunedPrompt, optimizer: Optimizer, computation: Computation, rows: (training: Int, validation: Int),
    earlyStopping: EarlyStopping?
  ) {
    self.prompt = prompt
    self.optimizer = optimizer
    self.computation = computation
    self.rows = rows
    self.earlyStopping = earlyStopping
  }

  /// Writes a folder with the adapter and this state under a temporary name, then renames it. `data` and `modelFingerprint`
  /// are hashes of the tokens the run depends on and of the frozen model.
  package func write(
    to folder: String, configuration: Configuration, model: AdapterModel, data: String, modelFingerprint: String
  ) throws {
    let partial = folder + ".partial"
    try removeRecursively(partial)
    try makeDirectory(partial)
    try Adapter(prompt: prompt.projected, configuration: configuration, model: model, head: head).write(to: partial)
    let shape = [prompt.context.count, prompt.width]
    var tensors = [
      FloatTensor(name: "initial", shape: shape, values: prompt.initial),
      FloatTensor(name: "delta", shape: shape, values: prompt.delta),
    ]
    if optimizer.kind == .adamW {
      tensors.append(FloatTensor(name: "first_moment", shape: shape, values: optimizer.firstMoment))
      tensors.append(FloatTensor(name: "second_moment", shape: shape, values: optimizer.secondMoment))
    }
    try writeAtomically(safetensors(tensors), to: partial + "/" + Self.tensorsFile)
    try writeAtomically(configuration.resolvedJSON.pretty + "\n", to: partial + "/" + RunDirectory.configurationName)
    let state = TrainerState(
      step: step, bestStep: bestStep, bestMetric: bestMetric, bestLoss: bestLoss, trainingRows: rows.training,
      validationRows: rows.validation, dataFingerprint: data, modelFingerprint: modelFingerprint,
      computation: computation, earlyStopping: earlyStopping)
    try writeAtomically(state.json.pretty + "\n", to: partial + "/" + TrainerState.file)
    try replaceFiles(Self.files, inDirectory: folder, from: partial)
  }

  /// Restores the state from a folder.
  ///
  /// - Throws: `InputError.badData` when it belongs to other data, another context or another model.
  package mutating func read(from folder: String, data: String, model: String, totalSteps: Int) throws {
    let stateFile = folder + "/" + TrainerState.file
    let state = try TrainerState(file: stateFile)
    guard state.step <= totalSteps else {
      throw InputError.badData(stateFile, "is after step \(state.step); the run has \(totalSteps) steps")
    }
    guard state.dataFingerprint == data else {
      throw InputError.badData(
        folder,
        "was made with other data: rows have changed since; --resume needs the data the run started with "
          + "(start a new run with --overwrite or another --output)")
    }
    let file = try SafetensorsFile(path: folder + "/" + Self.tensorsFile)
    let shape = [prompt.context.count, prompt.width]
    guard state.modelFingerprint ?? model == model, try file.floats("initial", shape: shape) == prompt.initial else {
      throw InputError.badData(
        folder, "was made with another model; --resume needs the model and context the run started with")
    }
    prompt.delta = try file.floats("delta", shape: shape)
    if optimizer.kind == .adamW {
      optimizer.firstMoment = try file.floats("first_moment", shape: shape)
      optimizer.secondMoment = try file.floats("second_moment", shape: shape)
    }
    optimizer.step = state.step
    step = state.step
    bestStep = state.bestStep
    bestMetric = state.bestMetric
    bestLoss = state.bestLoss
    // Those of an early version did not record it.
    computation = state.computation ?? computation
    earlyStopping = state.earlyStopping ?? earlyStopping
  }
}
