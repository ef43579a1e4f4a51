describe('sample', () => {
  it('ends the process', () => {
    console.error('about to end');
    process.kill(process.pid, 'SIGKILL');
  });
});
