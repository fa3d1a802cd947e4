// Ends Directus when the process that started it is gone, however it went (kill -9 included):
// an orphan would hold the port and the database against the next start.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, "SIGTERM");
}, 1000).unref();
