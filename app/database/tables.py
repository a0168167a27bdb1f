"""Where all tables are registered, whatever they are about."""

from sqlalchemy import MetaData

metadata = MetaData()
