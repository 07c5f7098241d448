// English texts of the user front end.
export default {
  nav: { overview: 'Overview' },
};
