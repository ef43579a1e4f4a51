describe('sample', () => {
  it('leaves a timer that keeps the process alive', () => {
    setInterval(() => {}, 1000);
  });
});
