"""The suite and its platform beside the field's defaults: Chaos Toolkit, torchrun, stock checkpoint loaders."""
