"""Fine-tuning: samples from the pipeline's folders, arms that differ in one thing, a loop that resumes."""
