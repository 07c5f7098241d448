-- Asks for any of the addresses that a file names, one a line.
function init(args)
  paths = {}
  for path in io.lines(args[1]) do
    paths[#paths + 1] = path
  end
  math.randomseed(os.time())
end

function request()
  return wrk.format(nil, paths[math.random(#paths)])
end
