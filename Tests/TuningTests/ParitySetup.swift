import FileFormats
import Kernels
import Runs
import System
import TestSupport
import Tuning

extension ParityGoldens {
  /// Writes a configuration and data for a case, some members of its training section changed, and opens it.
  func setup(_ name: String, in folder: String, training: [String: JSON] = [:]) throws -> TrainingSetup {
    try TrainingSetup(Configuration(file: write(name, in: folder, training: training)), team: ThreadTeam(threads: 2))
  }
}
