"""The face interface of DeepStack, for programs that were written for DeepStack or CodeProject.AI."""
