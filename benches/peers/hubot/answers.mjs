// What Hubot is asked in the bench: a line that it answers with one post.
export default (robot) => {
  robot.hear(/^!whoami$/, (response) => response.send('You are **operator**; you may do this and that here.'))
}
