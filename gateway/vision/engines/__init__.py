"""The engines, the models that find and describe faces. The tasks of the parent package use them by protocols."""
