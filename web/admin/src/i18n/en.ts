// English texts of the admin panel.
export default {
  nav: { overview: 'Overview' },
};
