import Diagnostics
import FileFormats

/// A tokenizer class of Hugging Face transformers.
///
/// Most take a tokenizer.json as it is. Some take only its vocabulary and merges and have all else of their own.
///
/// Source: transformers 5.24, `models/auto/tokenization_auto.py` and `models/*/tokenization_*.py`.
enum TokenizerClass: String {
  /// The class of most names, among them `PreTrainedTokenizerFast`: it has nothing of its own.
  case backend = "TokenizersBackend"
  case gpt2 = "GPT2Tokenizer"
  case codeGen = "CodeGenTokenizer"
  case roberta = "RobertaTokenizer"
  case gptNeoX = "GPTNeoXTokenizer"
  case cohere = "CohereTokenizer"
  case qwen2 = "Qwen2Tokenizer"
  case llama = "LlamaTokenizer"
  case codeLlama = "CodeLlamaTokenizer"
  case gemma = "GemmaTokenizer"
  case bert = "BertTokenizer"

  /// What `AutoTokenizer` chooses by a name.
  ///
  /// - Throws: `Unsupported` for another class of transformers that has parts of its own.
  init(named name: String) throws(Unsupported) {
    let name = Self.withoutFast(name)
    if Self.others.contains(name) { throw Unsupported(name: name) }
    self = TokenizerClass(rawValue: name) ?? .backend
  }

  /// A class that is known to differ from all here.
  struct Unsupported: Error {
    var name: String
  }

  /// What `AutoTokenizer` chooses for a folder: by `tokenizer_class` of tokenizer_config.json or else of config.json, and by
  /// the `model_type` of config.json.
  init(declared: String?, modelType: String?, isByteLevel: Bool) throws(Unsupported) {
    let ofModel = modelType.flatMap { Self.classesOfModels[$0] }
    let isDistrusted = modelType.map { Self.modelsWithWrongClass.contains($0) } ?? false
    guard let declared = declared.map(Self.withoutFast) else {
      self = ofModel ?? .backend
      return
    }
    if declared == Self.llama.rawValue, isByteLevel, !isDistrusted, modelType != "mistral" {
      self = .backend
    } else if let ofModel, ofModel.rawValue != declared, ofModel == .backend || isDistrusted {
      self = ofModel
    } else {
      try self.init(named: declared)
    }
  }

  /// Whether a declared class changes nothing for this type of model.
  static func isFixed(byModel type: String?) -> Bool {
    type.map { classesOfModels[$0] != nil && modelsWithWrongClass.contains($0) } ?? false
  }

  private static func withoutFast(_ name: String) -> String { name.hasSuffix("Fast") ? String(name.dropLast(4)) : name }

  private static let classesOfModels: [String: TokenizerClass] = [
    "gpt2": .gpt2, "gpt_neo": .gpt2, "gptj": .gpt2, "opt": .gpt2, "phi": .gpt2, "codegen": .gpt2, "starcoder2": .gpt2,
    "gpt_neox": .gptNeoX, "cohere": .cohere, "cohere2": .cohere, "olmo": .gptNeoX, "olmoe": .gptNeoX, "mpt": .gptNeoX,
    "qwen2": .qwen2, "qwen2_moe": .qwen2, "qwen3": .qwen2, "qwen3_moe": .qwen2, "qwen3_next": .qwen2,
    "gemma": .gemma, "gemma2": .gemma, "gemma3": .gemma, "gemma3_text": .gemma, "gemma3n": .gemma,
    "gemma3n_text": .gemma, "mistral": .backend, "mistral3": .backend, "ministral": .backend, "mixtral": .backend,
    "phi3": .backend, "phimoe": .backend, "olmo2": .backend, "olmo3": .backend, "stablelm": .backend,
    "gpt_bigcode": .backend, "granite": .backend, "nemotron": .backend, "persimmon": .backend, "glm": .backend,
    "glm4": .backend, "internlm2": .backend, "modernbert-decoder": .backend,
  ]

  /// The models whose declared class counts less than that of the model.
  private static let modelsWithWrongClass: Set = [
    "qwen2", "phi3", "phimoe", "nemotron", "internlm2", "modernbert-decoder",
  ]

  /// The other classes with parts of their own.
  private static let others = Set<String>(
    """
    Albert Barthez Bartpho BertGeneration BertJapanese Bertweet BigBird BioGpt Blenderbot BlenderbotSmall ByT5 CLIP CTRL
    Camembert Canine Clvp ConvBert Cpm CpmAnt Deberta DebertaV2 Dia DistilBert Esm Esmc FNet FSMT Flaubert Funnel
    GPTNeoXJapanese GPTSw3 Herbert Lasr LayoutLMv2 LayoutLMv3 LayoutXLM Luke M2M100 MBart MBart50 MLuke MPNet Marian
    MarkupLM Mgpstr MyT5 Nllb Nougat OpenAIGPT PLBart Pegasus Perceiver Phobert Pop2Piano ProphetNet Qwen3_5 Reformer
    RemBert RoCBert RoFormer SeamlessM4T Siglip Siglip2 Speech2Text SpeechT5 Splinter T5 Tapas Tipsv2 Udop VideoPrism
    Vits Wav2Vec2CTC Whisper XGLM XLM XLMRoberta XLNet
    """.split { $0 == " " || $0.isNewline }.map { String($0) + "Tokenizer" })

  /// The special tokens of a class unless the folder names others, by their keys.
  var specialTokens: [String: String] {
    switch self {
    case .backend: [:]
    case .gpt2, .codeGen:
      ["bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"]
    case .qwen2: ["eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"]
    case .gptNeoX:
      [
        "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
        "pad_token": "<|padding|>",
      ]
    case .roberta:
      [
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>",
        "cls_token": "<s>", "mask_token": "<mask>",
      ]
    case .cohere:
      [
        "bos_token": "<BOS_TOKEN>", "eos_token": "<|END_OF_TURN_TOKEN|>", "unk_token": "<UNK>", "sep_token": "<SEP>",
        "pad_token": "<PAD>", "cls_token": "<CLS>", "mask_token": "<MASK_TOKEN>",
      ]
    case .llama: ["bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"]
    case .codeLlama:
      [
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "prefix_token": "▁<PRE>",
        "middle_token": "▁<MID>", "suffix_token": "▁<SUF>", "eot_token": "▁<EOT>", "fill_token": "<FILL_ME>",
      ]
    case .gemma:
      [
        "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>",
        "mask_token": "<mask>",
      ]
    case .bert:
      [
        "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]",
      ]
    }
  }

  /// Whether the padding token of a tokenizer.json is its own, unless the folder names another.
  var takesPaddingToken: Bool { [.backend, .llama, .codeLlama].contains(self) }

  /// The type of the model that a class builds; nil for any.
  var modelType: String? {
    switch self {
    case .backend: nil
    case .bert: "WordPiece"
    default: "BPE"
    }
  }

  /// The parts that a class has of its own, as a tokenizer.json writes them; of the model, all but tokens and merges.
  func parts(_ settings: TokenizerSettings) throws -> JSON {
    let prefix = try settings.flag("add_prefix_space")
    let byteLevel = #""decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "fuse_unk": false}"#
    func preTokenizer(_ options: String = "") -> String {
      #"{"type": "ByteLevel", "add_prefix_space": \#(prefix ?? false)\#(options)}"#
    }
    func metaspace(_ scheme: String) -> String {
      #"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "\#(scheme)", "split": false}"#
    }
    /// With `strip`, the space that was put before the text is taken off.
    func characters(strip: Bool) -> String {
      let strip = strip ? #", {"type": "Strip", "content": " ", "start": 1, "stop": 0}"# : ""
      return #"""
        "decoder": {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}\#(strip)]}
        """#
    }
    func model(unknown: Bool) throws -> String {
      // Python writes a token that is null as "None".
      let unknown = unknown ? try settings.token("unk_token")?.content ?? "None" : nil
      return #"""
        "model":
        {"type": "BPE", "fuse_unk": true, "byte_fallback": true, "unk_token": \#(unknown.map { JSON.string($0).compact } ?? "null")}
        """#
    }
    let text: String
    switch self {
    case .backend: return .object([])
    case .gpt2, .codeGen, .roberta: text = #""normalizer": null, "pre_tokenizer": \#(preTokenizer()), \#(byteLevel)"#
    case .gptNeoX: text = #""normalizer": {"type": "NFC"}, "pre_tokenizer": \#(preTokenizer()), \#(byteLevel)"#
    case .cohere:
      text = #"""
        "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": true}, \#(preTokenizer())]}, \#(byteLevel)
        """#
    case .qwen2:
      text = #"""
        "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "behavior": "Isolated", "invert": false, "pattern": {"Regex":
        \#(JSON.string(Self.wordsOfQwen2).compact)}}, \#(preTokenizer(#", "use_regex": false"#))]}, \#(byteLevel)
        """#
    case .llama:
      let scheme = prefix ?? true ? try settings.flag("legacy") ?? false ? "always" : "first" : "never"
      text = #"""
        "normalizer": null, "pre_tokenizer": \#(metaspace(scheme)),
        \#(characters(strip: prefix ?? true)), \#(try model(unknown: false))
        """#
    case .codeLlama:
      text = #"""
        "normalizer": null, "pre_tokenizer": \#(metaspace(prefix ?? true ? "first" : "never")),
        \#(characters(strip: true)), \#(try model(unknown: true))
        """#
    case .gemma:
      text = #"""
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, "pre_tokenizer":
        {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false},
        \#(characters(strip: false)), \#(try model(unknown: true))
        """#
    case .bert:
      let accents = try settings.flag("strip_accents").map(String.init) ?? "null"
      text = #"""
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "strip_accents": \#(accents),
        "handle_chinese_chars": \#(try settings.flag("tokenize_chinese_chars") ?? true),
        "lowercase": \#(try settings.flag("do_lower_case") ?? true)},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        "unk_token": \#(JSON.string(try settings.token("unk_token")?.content ?? "None").compact)}
        """#
    }
    return try JSON(parsing: Array("{\(text)}".utf8), file: rawValue)
  }

  private static let wordsOfQwen2 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
}
