"""`daxlite follow`: a process that keeps a shared tier fresh from the streams of tables."""
