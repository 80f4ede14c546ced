"""`job.json` of a run's folder: what is known of the job that was started for it."""

from llast.artifacts.training import JobRecord
from llast.errors import DataError
from llast.training.run_folder import RunFolder


def job_record(run: RunFolder) -> JobRecord | None:
    """The record; None where it is missing or broken, or came with a copy of the folder that the job is of."""
    try:
        record = JobRecord.read(run.job)
    except DataError:
        return None
    copied = record.folder.exists() and not record.folder.samefile(run.path)
    return None if copied else record


def note_end(run: RunFolder) -> None:
    """Write down that a local job has ended: another machine cannot look for its processes."""
    record = job_record(run)
    if record and record.machine.cluster == "local":
        record.model_copy(update={"ended": True}).write(run.job)
