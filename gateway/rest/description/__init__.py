"""The description of the REST interface (OpenAPI 3.1), generated from the table of routes and the models."""
