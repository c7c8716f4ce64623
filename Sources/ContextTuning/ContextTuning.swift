// ContextTuning
