"""The nodes that a workflow runs: ComfyUI's built-in ones and the Kolors nodes of the camp."""
